package process

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Gate forwards connections to an address, and can be shut.
type Gate struct {
	listener net.Listener
	to       string
	passed   atomic.Int64 // what clients sent, in pieces

	mu    sync.Mutex
	shut  bool
	conns []net.Conn
}

// NewGate returns a gate on a free port of the loopback.
func NewGate(to string) (*Gate, error) {
	g := &Gate{to: to}
	var err error
	if g.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := g.listener.Accept()
			if err != nil {
				return
			}
			go g.forward(conn)
		}
	}()
	return g, nil
}

// Address returns the address of the gate, host:port.
func (g *Gate) Address() string { return g.listener.Addr().String() }

// Passed returns how many pieces of what clients sent came through.
func (g *Gate) Passed() int64 { return g.passed.Load() }

// Close shuts the gate for good.
func (g *Gate) Close() {
	_ = g.listener.Close()
	g.Shut(true)
}

func (g *Gate) forward(from net.Conn) {
	defer from.Close()
	if g.isShut() {
		return
	}
	to, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer to.Close()
	g.mu.Lock()
	g.conns = append(g.conns, from, to)
	g.mu.Unlock()
	go func() { _, _ = io.Copy(from, to) }()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil || g.isShut() {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
		g.passed.Add(1)
	}
}

func (g *Gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut
}

// Shut ends the connections, and lets no others through, or lets them through again.
func (g *Gate) Shut(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	if shut {
		for _, c := range g.conns {
			_ = c.Close()
		}
		g.conns = nil
	}
}
