package liveness

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness/detector"
)

const (
	// saveInterval is the pause between two rounds in which all components are written.
	saveInterval = 10 * time.Second
	// retryInterval is the pause after an error.
	retryInterval = time.Second
	// writeRate is how much is written on average, in bytes a second, except for gaps; maxSpare how much at once.
	writeRate = 192 << 10
	maxSpare  = 256 << 10
	// maxNews bounds the components that wait to be written; others are written in the round.
	maxNews = 10_000
	// maxMembers is how many members of outages are written at a tick, but for the one at which the outage is emitted.
	maxMembers = 100_000
	// membersPerLine bounds the length of a line.
	membersPerLine = 1000
	// longJournal is how much may have been appended, in bytes, before a start writes the whole state.
	longJournal = 64 << 20
)

// store keeps the state in a file. Nothing of it takes long, however many components there are: what must be known
// before it is emitted is written at once, other news at the next tick, and all components in rounds, a little at each
// tick. It writes when it is called, and has no goroutine.
//
// A journal, and not an embedded database, because it writes less. With 2000 components that beat every 10 s and a new
// name a second it writes 38 KB/s (BenchmarkSave). bbolt 1.5.0, with the same records in one transaction a second, wrote
// 113 KB/s with keys in the order of the rounds and 854 KB/s with keys in any order, for it writes whole pages, and 32 KiB
// for a transaction of one gap. The journal takes 5 ms of CPU time in an Add with 2000 components, and 7 ms with a million.
// If a million fall silent at once, it takes 32 ms at most, and waits for the disk.
type store struct {
	file    *statefile.File
	journal *statefile.Journal
	option  []string      // bus
	known   func() []*bus // that are to be saved
	now     func() time.Time
	log     telegraf.Logger

	lines   bytes.Buffer  // to be written
	encoder *json.Encoder // of them
	on      *bus          // that they are of
	news    []news
	crowded bool    // news left no room for the round
	spare   float64 // bytes that may be written, less than zero after many gaps
	as      time.Time

	round    uint64    // number of the present one
	next     int       // of known: where it is
	pausing  bool      // between two rounds
	resumeAt time.Time // when the pause ends
	failed   bool      // that was logged
}

// news is a component of which something is to be saved soon.
type news struct {
	bus *bus
	key string
}

// openStore reads the state in a locked file; it is nil if there is none. Before the first tick of the store nothing is written.
func openStore(file *statefile.File, option []string, log telegraf.Logger, now func() time.Time, known func() []*bus) (*store, *savedState, error) {
	var r stateReader
	journal, err := file.Journal(r.Add)
	if err != nil {
		return nil, nil, err
	}
	if r.bad > 0 {
		log.Errorf("%d lines of the state file cannot be read; what they said of components is learned again", r.bad)
	}
	s := &store{file: file, journal: journal, option: option, known: known, now: now, log: log, round: 1, spare: maxSpare}
	s.encoder = json.NewEncoder(&s.lines)
	if !r.any {
		return s, nil, nil
	}
	return s, r.State(), nil
}

// Found takes what is about to be emitted. What a gap needs is in the file when it returns.
func (s *store) Found(b *bus, findings []detector.Finding) {
	opened := false
	for i := range findings {
		f := &findings[i]
		switch {
		case f.Change == detector.Report:
		case f.Gap != nil && f.Status == nil:
			s.joined(b, len(b.joined))
			s.section(b)
			s.ended(b, f.Gap)
			opened = opened || f.Gap.Open
		case f.Gap != nil || f.Change == detector.WasStopped:
			s.leave(b, f.Key)
			s.component(b, f.Key)
			s.ended(b, f.Gap)
			opened = opened || f.Gap != nil && f.Gap.Open
		case f.Change == detector.StateChanged && f.Status.State == detector.Late: // who was late and is not must not be late after a kill
		case f.Joined != "":
			s.join(b, f, len(findings)-i)
		default:
			s.leave(b, f.Key)
			if len(s.news) < maxNews {
				s.news = append(s.news, news{b, f.Key})
			}
		}
	}
	if s.lines.Len() > 0 {
		s.commit(opened)
	}
}

// Killed takes that a kill signal came: the silence after it must not be a gap after a restart.
func (s *store) Killed(b *bus) {
	s.section(b)
	s.commit(true)
}

// Removed takes that a bus is not known any more.
func (s *store) Removed(b *bus) {
	s.put(&record{On: b.values})
	s.commit(false)
}

// Tick writes what is due at a tick of a bus.
func (s *store) Tick(b *bus) {
	now := s.now()
	if !s.as.IsZero() {
		s.spare += now.Sub(s.as).Seconds() * writeRate
	}
	s.spare, s.as = min(s.spare, maxSpare), now
	s.joined(b, maxMembers)
	// What news leave no room for has the next turn: news that never end would keep the round from its end.
	room, roundFirst := s.lines.Len() < int(s.spare), s.crowded
	if !roundFirst {
		s.writeNews()
	}
	complete := s.goRound(now)
	if roundFirst {
		s.writeNews()
	}
	if room {
		s.crowded = !roundFirst && len(s.news) > 0
	}
	if s.lines.Len() > 0 && !s.commit(false) || !complete {
		return
	}
	s.check(s.journal.Complete())
	s.pause(saveInterval)
}

// writeNews writes the components that wait to be written, if there is room.
func (s *store) writeNews() {
	for len(s.news) > 0 && s.lines.Len() < int(s.spare) {
		s.component(s.news[0].bus, s.news[0].key)
		s.news = s.news[1:]
	}
	if len(s.news) == 0 {
		s.news = nil
	}
}

// goRound writes components of the present round, if there is room. It reports whether the round is complete.
func (s *store) goRound(now time.Time) bool {
	if s.pausing {
		if now.Before(s.resumeAt) {
			return false
		}
		s.pausing = false
		s.round++
		s.next = 0
	}
	for s.lines.Len() < int(s.spare) {
		b := s.nextBus()
		if b == nil {
			return true
		}
		if b.begun != s.round {
			b.begun = s.round
			b.detector.Rewind()
			s.section(b)
			s.allEnded(b)
		}
		s.section(b)
		more := b.detector.Components(func(c *detector.ComponentSnapshot) bool {
			s.put(&record{Component: c})
			return s.lines.Len() < int(s.spare)
		})
		if !more {
			b.done = s.round
		}
	}
	return false
}

// nextBus returns a bus that the present round has not been through, nil if it has been through all.
func (s *store) nextBus() *bus {
	all := s.known()
	for ; s.next < len(all); s.next++ {
		if all[s.next].done != s.round {
			return all[s.next]
		}
	}
	// One that went on to an earlier place because another was removed.
	if at := slices.IndexFunc(all, func(b *bus) bool { return b.done != s.round }); at >= 0 {
		return all[at]
	}
	return nil
}

// join takes a finding of a component that joined the outage that collects members, the first of several.
func (s *store) join(b *bus, f *detector.Finding, of int) {
	if b.outage != f.Joined { // the former one was written, or was over before it was emitted
		b.outage, b.joined, b.left = f.Joined, nil, nil
	}
	delete(b.left, f.Key)
	if len(b.joined) == cap(b.joined) {
		b.joined = slices.Grow(b.joined, of) // the others may have joined, too
	}
	b.joined = append(b.joined, f.Key)
}

// leave takes that a component is not silent any more, or not known.
func (s *store) leave(b *bus, key string) {
	if len(b.joined) == 0 {
		return
	}
	if b.left == nil {
		b.left = make(map[string]bool)
	}
	b.left[key] = true
}

// joined writes members that joined the outage of a bus, at most as many.
func (s *store) joined(b *bus, most int) {
	for written := 0; len(b.joined) > 0 && written < most; written += membersPerLine {
		n := min(len(b.joined), membersPerLine)
		members := b.joined[:n]
		if len(b.left) > 0 {
			members = slices.DeleteFunc(members, func(key string) bool { return b.left[key] })
		}
		s.section(b)
		s.put(&record{Outage: b.outage, Members: members})
		b.joined = b.joined[n:]
		if s.lines.Len() >= maxSpare {
			s.commit(false)
		}
	}
	if len(b.joined) == 0 {
		b.joined, b.left = nil, nil
	}
}

// component writes a component.
func (s *store) component(b *bus, key string) {
	if b.removed {
		return
	}
	s.section(b)
	if c, known := b.detector.Component(key); known {
		s.put(&record{Component: &c})
	} else {
		s.put(&record{Retired: key})
	}
}

// ended writes a gap, if it was closed.
func (s *store) ended(b *bus, gap *detector.Gap) {
	if gap == nil || gap.Open {
		return
	}
	for _, e := range slices.Backward(b.detector.Ended()) {
		if e.Gap.IncidentID == gap.IncidentID {
			s.put(&record{Ended: &e})
			return
		}
	}
}

// allEnded writes the gaps that were closed of late.
func (s *store) allEnded(b *bus) {
	for _, e := range b.detector.Ended() {
		s.put(&record{Ended: &e})
	}
}

// section makes a bus the one that the next lines are of.
func (s *store) section(b *bus) {
	if s.on != b {
		s.on = b
		r := &record{On: b.values, Heard: b.latest(), Head: b.detector.Head()}
		if b.watch != nil {
			r.On, r.Watch = nil, b.watch.Name
		}
		s.put(r)
	}
}

func (s *store) put(r *record) {
	if err := s.encoder.Encode(r); err != nil {
		s.check(err)
	}
}

// commit writes the lines, and waits until they are on the disk if sync is set. It reports whether it did so.
func (s *store) commit(sync bool) bool {
	s.on = nil
	lines := s.lines.Bytes()
	if s.journal.Size() == 0 {
		lines = append(s.head(), lines...)
	}
	s.spare -= float64(len(lines))
	if s.lines.Reset(); s.lines.Cap() > 3*maxSpare {
		s.lines = bytes.Buffer{}
	}
	err := s.journal.Append(lines)
	if err == nil && sync {
		err = s.journal.Sync()
	}
	if err != nil {
		s.pause(retryInterval) // and go through all again
	}
	return s.check(err)
}

// head is what the lines of a file begin with.
func (s *store) head() []byte {
	line, _ := json.Marshal(&record{Version: journalVersion, Bus: s.option}) // texts can always be encoded
	return append(line, '\n')
}

// pause makes a pause before the next round.
func (s *store) pause(interval time.Duration) {
	s.pausing, s.resumeAt = true, s.now().Add(interval)
}

// Replace writes the whole state at once, which takes as long as there are components.
func (s *store) Replace() {
	s.lines.Reset()
	s.on, s.news = nil, nil
	err := s.journal.Replace(func(w io.Writer) error {
		s.lines.Write(s.head())
		var failed error
		flush := func() {
			if _, err := s.lines.WriteTo(w); failed == nil {
				failed = err
			}
		}
		for _, b := range s.known() {
			b.joined, b.left = nil, nil
			s.section(b)
			s.allEnded(b)
			b.detector.Rewind()
			b.detector.Components(func(c *detector.ComponentSnapshot) bool {
				s.put(&record{Component: c})
				if s.lines.Len() >= maxSpare {
					flush()
				}
				return failed == nil
			})
		}
		flush()
		return failed
	})
	s.lines.Reset()
	s.on = nil
	s.pause(saveInterval)
	s.check(err)
}

// check logs when the state cannot be saved, and when it can be again. It reports whether it can be.
func (s *store) check(err error) bool {
	switch {
	case err != nil && !s.failed:
		s.log.Errorf("The state cannot be saved, and would be lost at a restart; check the disk and the permissions: %v", err)
	case err == nil && s.failed:
		s.log.Info("The state is saved again")
	}
	s.failed = err != nil
	return err == nil
}

// Close writes the whole state, and unlocks the file.
func (s *store) Close() {
	s.Replace()
	_ = s.journal.Close() // whatever is in it was written
	s.file.Close()
}
