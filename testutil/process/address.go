package process

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports that an operating system gives to a client, or to whoever asks for any port, are above these. So nobody takes the
// port of a server by chance, also while the server is stopped to be started again.
const lowestPort, highestPort = 10_000, 32_767

// FreeAddresses returns n addresses of the loopback on which nothing listens.
func FreeAddresses(n int) ([]string, error) {
	var addresses []string
	for tries := 0; len(addresses) < n; tries++ {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			defer listener.Close() // all stay open until the last is found
			addresses = append(addresses, listener.Addr().String())
		} else if tries > 100*n {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
	}
	return addresses, nil
}
