package colony

import (
	"errors"

	zmq "github.com/pebbe/zmq4"
)

// endOfCapture is the message of one frame that ends the reading of the copies. The bus forwards none like it:
// a message of a publisher begins with a topic, and a subscription with one of the bytes 0 and 1.
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
			if !isSubscription(frames) {
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

// isSubscription reports whether the proxy forwarded a subscription, or its end, to the publishers.
func isSubscription(frames [][]byte) bool {
	return len(frames) == 1 && len(frames[0]) > 0 && frames[0][0] <= 1
}
