package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports that an operating system gives to a client, or to whoever asks for any port, are above these. So nobody takes the
// port of a server by chance, also while the server is stopped to be started again.
const lowestPort, highestPort = 10_000, 32_767

// taken are UDP ports of the same numbers, which stay open as long as this process runs: tests in other processes then take
// other ports, also before the servers listen.
var (
	taken   []net.PacketConn
	takenMu sync.Mutex
)

// FreeAddresses returns n addresses of the loopback on which nothing listens, and which it returns to nobody else.
func FreeAddresses(n int) ([]string, error) {
	takenMu.Lock()
	defer takenMu.Unlock()
	var addresses []string
	for tries := 0; len(addresses) < n; tries++ {
		address := fmt.Sprintf("127.0.0.1:%d", lowestPort+rand.IntN(highestPort-lowestPort+1))
		reservation, err := net.ListenPacket("udp", address)
		if err == nil {
			var listener net.Listener
			if listener, err = net.Listen("tcp", address); err == nil {
				listener.Close()
				taken, addresses = append(taken, reservation), append(addresses, address)
				continue
			}
			reservation.Close()
		}
		if tries > 100*n {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
	}
	return addresses, nil
}
