package process

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// StartServer starts an HTTP server that cannot choose a free port by itself: command returns it for an address of the
// loopback. It waits until the server answers at a path with status 200, and returns its URL.
func StartServer(ctx context.Context, ready string, command func(address string) *exec.Cmd) (*Process, string, error) {
	for {
		p, url, err := startServer(ctx, ready, command)
		// Another process may have taken the port meanwhile.
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			return p, url, err
		}
	}
}

func startServer(ctx context.Context, ready string, command func(address string) *exec.Cmd) (*Process, string, error) {
	addresses, err := FreeAddresses(1)
	if err != nil {
		return nil, "", err
	}
	p, err := Start(command(addresses[0]), nil)
	if err != nil {
		return nil, "", err
	}
	url := "http://" + addresses[0]
	for {
		response, err := http.Get(url + ready)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return p, url, nil
			}
		}
		select {
		case <-p.Done():
			return nil, "", fmt.Errorf("%s exited before it was ready: %s", p.cmd.Path, p.Output())
		case <-ctx.Done():
			return nil, "", errors.Join(fmt.Errorf("%s is not ready: %w", p.cmd.Path, ctx.Err()), p.Stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
