package watch

import (
	"encoding/json"
	"io"
	"os"
	"time"
)

// Output is what the output in Telegraf has saved of itself.
type Output struct {
	File       string    `json:"file"`
	Saved      time.Time `json:"saved"`      // when it last had something to save
	Publishing bool      `json:"publishing"` // false: nothing that it publishes comes back from the bus
	Pending    int       `json:"pending"`    // incidents that wait to be published, or for their acks
}

// maxOutput is how much of the file is read; it has its bounds, too.
const maxOutput = 64 << 20

// readOutput reads the state file of the output; nil if there is none that can be read.
func readOutput(path string) *Output {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	var state struct {
		Counts struct {
			Publishing bool `json:"publishing"`
			Pending    int  `json:"pending"`
		} `json:"counts"`
	}
	if err := json.NewDecoder(io.LimitReader(file, maxOutput)).Decode(&state); err != nil {
		return nil
	}
	return &Output{File: path, Saved: info.ModTime().UTC(), Publishing: state.Counts.Publishing, Pending: state.Counts.Pending}
}

// outputFile is the state file of the output, read again when it was saved again.
type outputFile struct {
	path string
	last *Output
}

// read returns what the file says now.
func (f *outputFile) read() *Output {
	if f.path == "" {
		return nil
	}
	info, err := os.Stat(f.path)
	if err != nil {
		f.last = nil
	} else if f.last == nil || !info.ModTime().Equal(f.last.Saved) {
		f.last = readOutput(f.path)
	}
	return f.last
}
