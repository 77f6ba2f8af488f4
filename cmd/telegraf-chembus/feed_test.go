package main

import (
	"bufio"
	"bytes"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

// A signal that comes while the plugin starts loses nothing: what comes after it waits until the plugin runs.
func TestSignalBeforeThePluginRuns(t *testing.T) {
	stdin, into, err := os.Pipe()
	require.NoError(t, err)
	defer stdin.Close()
	var passed syncBuffer
	f := newFeed(stdin, &passed, time.Minute, testutil.Logger{})
	defer f.Close()

	_, err = into.WriteString("after value=1i\n")
	require.NoError(t, err)
	f.signals <- syscall.SIGTERM
	require.Never(t, func() bool { return passed.Len() > 0 }, 200*time.Millisecond, 10*time.Millisecond)
	f.Run()
	line, err := bufio.NewReader(f.pipe).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "after value=1i\n", line)

	require.NoError(t, into.Close())
	<-f.ended
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Len()
}
