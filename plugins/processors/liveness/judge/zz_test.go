package judge
import ("testing";"fmt";"time";"os";"strconv";"strings")
func TestZZ(t *testing.T){
 n,_:=strconv.Atoi(os.Getenv("N"))
 for i:=range traces{ if !strings.Contains(os.Getenv("T"),traces[i].name){continue}
  var q,p quality
  qs:=make(chan [2]quality,n)
  for s:=range n { go func(){ c:=newColony(&traces[i],20,50*time.Hour,uint64(s)); var a,b quality; a.measure(c,c.judged(&Adaptive{Phi: 8, Min: 5 * time.Second, Max: 2 * time.Minute})); b.measure(c,c.polled()); qs<-[2]quality{a,b}}() }
  for range n { x:=<-qs; q.add(x[0]);p.add(x[1]) }
  q.write(os.Stdout,traces[i].name,"adaptive"); p.write(os.Stdout,traces[i].name,"poller")
 }
 fmt.Println()
}
func (q *quality) add(o quality){ q.detections=append(q.detections,o.detections...);q.mistakes+=o.mistakes;q.mistaken+=o.mistaken;q.alive+=o.alive}
