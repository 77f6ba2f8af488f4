package colony

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// maxLine is the maximum length of a line in a recording, in bytes.
const maxLine = 16 << 20

// Replay publishes a recording and returns the number of messages sent. Each line is a JSON object. One with "frames", the
// frames of a message as text, is published unchanged at its time "t" (seconds after the start, divided by speed); others
// are skipped. A speed of +Inf publishes without waiting.
func (p *Publisher) Replay(ctx context.Context, recording io.Reader, speed float64) (int, error) {
	if !(speed > 0) {
		return 0, fmt.Errorf("colony: invalid speed %v: it must be above 0", speed)
	}
	lines := bufio.NewScanner(recording)
	lines.Buffer(nil, maxLine)
	start, sent := time.Now(), 0
	for n := 1; lines.Scan(); n++ {
		var line struct {
			T      float64  `json:"t"`
			Frames []string `json:"frames"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return sent, fmt.Errorf("colony: line %d of the recording: %w", n, err)
		}
		if len(line.Frames) == 0 {
			continue
		}
		due := start.Add(time.Duration(line.T / speed * float64(time.Second)))
		select {
		case <-ctx.Done():
			return sent, fmt.Errorf("colony: replaying line %d of the recording: %w", n, ctx.Err())
		case <-time.After(time.Until(due)):
		}
		frames := make([][]byte, len(line.Frames))
		for i, frame := range line.Frames {
			frames[i] = []byte(frame)
		}
		if err := p.Send(frames...); err != nil {
			return sent, err
		}
		sent++
	}
	if err := lines.Err(); err != nil {
		return sent, fmt.Errorf("colony: reading the recording: %w", err)
	}
	return sent, nil
}
