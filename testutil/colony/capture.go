package colony

import (
	"errors"

	zmq "github.com/pebbe/zmq4"
)

// endOfCapture is a message that ends the reading of copies. libzmq's proxy copies no such message: only subscriptions,
// which begin with the byte 0 or 1, and its own commands have one frame.
const endOfCapture = "\x02end"

// openCapture starts to call onForward for each message that the proxy forwards.
func (p *proxy) openCapture(onForward func(frames [][]byte)) error {
	capture, copies, err := socketPair(p.ctx, "inproc://capture")
	if err != nil {
		return err
	}
	p.capture, p.captured = capture, make(chan struct{})
	go func() {
		defer close(p.captured)
		for {
			frames, err := copies.RecvMessageBytes(0)
			if err != nil || len(frames) == 1 && string(frames[0]) == endOfCapture {
				_ = copies.Close() // fails only for an invalid socket
				return
			}
			if len(frames) > 1 {
				onForward(frames)
			}
		}
	}()
	return nil
}

// closeCapture returns after the last call of onForward.
func (p *proxy) closeCapture() error {
	if p.capture == nil {
		return nil
	}
	// Fails only if the reader has ended.
	_, err := p.capture.Send(endOfCapture, zmq.DONTWAIT)
	<-p.captured
	return errors.Join(err, p.capture.Close())
}
