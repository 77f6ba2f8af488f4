package chembus

/*
#cgo pkg-config: libzmq
#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

enum { capacity = 512 };

struct message {
	void *topic, *payload;
	size_t topic_size, payload_size;
	int frames;
};

struct batch {
	int count;
	int full; // so that more may wait
	struct message messages[capacity];
	zmq_msg_t kept[capacity][2]; // topic and payload of each message
};

static void batch_release(struct batch *b)
{
	for (int i = 0; i < b->count; i++) {
		zmq_msg_close(&b->kept[i][0]);
		zmq_msg_close(&b->kept[i][1]);
	}
	b->count = 0;
}

// Receives a frame without waiting. A signal that comes between changes nothing.
static int frame_receive(zmq_msg_t *frame, void *socket)
{
	int size;
	zmq_msg_init(frame);
	do
		size = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
	while (size < 0 && errno == EINTR);
	return size;
}

// Receives what waits until the batch is full or holds enough bytes. Returns -1, and sets errno, only where
// it received nothing.
static int batch_receive(struct batch *b, void *socket, size_t enough)
{
	batch_release(b);
	b->full = 0;
	for (size_t held = 0; b->count < capacity && held < enough; b->count++) {
		struct message *m = &b->messages[b->count];
		zmq_msg_t *topic = &b->kept[b->count][0], *payload = &b->kept[b->count][1];
		zmq_msg_t surplus, *last = topic;
		if (frame_receive(topic, socket) < 0)
			return b->count > 0 ? b->count : -1;
		zmq_msg_init(payload);
		zmq_msg_init(&surplus);
		// The frames of a message arrive together, so only the first can be missing.
		for (m->frames = 1; zmq_msg_more(last); m->frames++) {
			if (m->frames == 1) {
				last = payload;
			} else {
				zmq_msg_close(&surplus);
				last = &surplus;
			}
			if (frame_receive(last, socket) < 0)
				break;
		}
		zmq_msg_close(&surplus);
		m->topic = zmq_msg_data(topic);
		m->topic_size = zmq_msg_size(topic);
		m->payload = zmq_msg_data(payload);
		m->payload_size = zmq_msg_size(payload);
		held += m->topic_size + m->payload_size;
	}
	b->full = 1;
	return b->count;
}
*/
import "C"

import (
	"reflect"
	"runtime"
	"unsafe"

	zmq "github.com/pebbe/zmq4"
)

const (
	// batchCapacity is how many messages a Batch holds at most.
	batchCapacity = int(C.capacity)
	// enoughBytes ends a batch of large messages before it takes much memory.
	enoughBytes = 1 << 20
)

// Batch receives many messages with one call into libzmq, and without copying them. Frame by frame the calls
// alone take longer than libzmq does. It belongs to the goroutine that owns the socket.
type Batch struct {
	batch *C.struct_batch
}

// NewBatch returns an empty batch. Free it after use.
func NewBatch() *Batch {
	b := &Batch{batch: (*C.struct_batch)(C.malloc(C.sizeof_struct_batch))} // ends the process rather than fail
	b.batch.count, b.batch.full = 0, 0
	return b
}

// Receive takes in what waits at the socket, without waiting, in the place of the messages from before. It
// returns how many messages that are. The error is that of Connection.Receive.
func (b *Batch) Receive(from *Connection) (int, error) {
	n, err := C.batch_receive(b.batch, handle(from.socket), enoughBytes)
	runtime.KeepAlive(from)
	if n < 0 {
		return 0, err
	}
	return int(n), nil
}

// Full reports whether the last call of Receive took in as much as a batch holds, so that more may wait.
func (b *Batch) Full() bool {
	return b.batch.full != 0
}

// Message returns a message of the batch. Only the first two frames are kept; frames tells how many there
// were. They are valid until the next Receive, or Free.
func (b *Batch) Message(i int) (topic, payload []byte, frames int) {
	m := &b.batch.messages[i]
	return unsafe.Slice((*byte)(m.topic), int(m.topic_size)), unsafe.Slice((*byte)(m.payload), int(m.payload_size)), int(m.frames)
}

// Free frees all that the batch holds.
func (b *Batch) Free() {
	C.batch_release(b.batch)
	C.free(unsafe.Pointer(b.batch))
	b.batch = nil
}

// handle returns libzmq's own socket, which zmq4 keeps for itself.
func handle(socket *zmq.Socket) unsafe.Pointer {
	return reflect.ValueOf(socket).Elem().FieldByName("soc").UnsafePointer()
}
