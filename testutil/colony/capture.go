package colony

import (
	"errors"

	zmq "github.com/pebbe/zmq4"
)

// endOfCapture is the message of one frame that ends the reading of the copies. libzmq's proxy copies none like
// it: of one frame are its own commands, and subscriptions, which begin with one of the bytes 0 and 1.
const endOfCapture = "\x02end"

// openCapture calls back for each message that the proxy forwards.
func (p *proxy) openCapture(onForward func(frames [][]byte)) error {
	capture, copies, err := wire(p.ctx, "inproc://capture")
	if err != nil {
		return err
	}
	p.capture, p.captured = capture, make(chan struct{})
	go func() {
		defer close(p.captured)
		for {
			frames, err := copies.RecvMessageBytes(0)
			if err != nil || len(frames) == 1 && string(frames[0]) == endOfCapture {
				_ = copies.Close() // fails only on a socket that is no socket
				return
			}
			if len(frames) > 1 {
				onForward(frames)
			}
		}
	}()
	return nil
}

// closeCapture ends the calls; it returns after the last one.
func (p *proxy) closeCapture() error {
	if p.capture == nil {
		return nil
	}
	// Fails only if nobody reads any more.
	_, err := p.capture.Send(endOfCapture, zmq.DONTWAIT)
	<-p.captured
	return errors.Join(err, p.capture.Close())
}
