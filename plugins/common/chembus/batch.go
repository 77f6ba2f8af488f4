package chembus

/*
#cgo pkg-config: libzmq
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { capacity = 256, excerpt = 64 };

struct message {
	void *topic, *payload;
	size_t topic_size, payload_size; // of what is kept
	size_t size;                     // of both, whole
	int frames;
};

struct batch {
	int count;
	size_t size; // of the frames that are kept
	int dropped; // messages for which there was no room
	int full;    // so that more may wait
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
	b->size = 0;
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

// Keeps only the beginning of a frame that is longer than the limit. Returns its whole size.
static size_t frame_cut(zmq_msg_t *frame, size_t limit)
{
	size_t size = zmq_msg_size(frame);
	if (size > limit) {
		zmq_msg_t beginning;
		if (zmq_msg_init_size(&beginning, excerpt) != 0)
			return size; // without memory it stays whole
		memcpy(zmq_msg_data(&beginning), zmq_msg_data(frame), excerpt);
		zmq_msg_move(frame, &beginning);
		zmq_msg_close(&beginning);
	}
	return size;
}

// Receives what waits until the batch is full or has taken in enough bytes. What takes more than is left of the room is
// dropped. Returns -1, and sets errno, only where it received nothing.
static int batch_receive(struct batch *b, void *socket, size_t enough, size_t room, size_t limit)
{
	batch_release(b);
	b->full = 0;
	b->dropped = 0;
	for (size_t taken = 0; b->count < capacity && taken < enough;) {
		struct message *m = &b->messages[b->count];
		zmq_msg_t *topic = &b->kept[b->count][0], *payload = &b->kept[b->count][1];
		zmq_msg_t surplus, *last = topic;
		if (frame_receive(topic, socket) < 0)
			return b->count + b->dropped > 0 ? b->count : -1;
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
		m->size = frame_cut(topic, limit) + frame_cut(payload, limit);
		m->topic = zmq_msg_data(topic);
		m->topic_size = zmq_msg_size(topic);
		m->payload = zmq_msg_data(payload);
		m->payload_size = zmq_msg_size(payload);
		taken += m->size + sizeof(*m);
		size_t takes = m->topic_size + m->payload_size;
		if (b->size + takes > room) {
			zmq_msg_close(topic);
			zmq_msg_close(payload);
			b->dropped++;
			continue;
		}
		b->size += takes;
		b->count++;
	}
	b->full = 1;
	return b->count;
}
*/
import "C"

import (
	"reflect"
	"runtime"
	"time"
	"unsafe"

	zmq "github.com/pebbe/zmq4"
)

const (
	// batchCapacity is how many messages a Batch holds at most.
	batchCapacity = int(C.capacity)
	// enoughBytes ends a batch of large messages before it takes much memory.
	enoughBytes = 1 << 20
	// batchSize is what a Batch takes besides the frames that it holds, in bytes.
	batchSize = int(C.sizeof_struct_batch)
	// excerptLength is how much is kept of a frame that is too long, in bytes.
	excerptLength = int(C.excerpt)
)

// Frames is a message as it was received.
type Frames struct {
	Topic, Payload []byte // the first two frames; of one that is longer than the limit of the queue only the beginning
	Count          int    // how many frames there were
	Size           int    // of the first two, whole, in bytes
}

// Batch receives many messages with one call into libzmq, and without copying them. Frame by frame the calls alone take
// longer than libzmq does. Batches come from a Queue.
type Batch struct {
	Arrived time.Time // when the messages were received, as whoever received them says

	batch *C.struct_batch
}

func newBatch() *Batch {
	b := &Batch{batch: (*C.struct_batch)(C.malloc(C.sizeof_struct_batch))} // ends the process rather than fail
	b.batch.count, b.batch.size, b.batch.full = 0, 0, 0
	return b
}

// receive takes in what waits at the socket, without waiting, in the place of the messages from before. Of a frame
// longer than limit only the beginning is kept, and what takes more than the room is dropped. The error is that of
// Connection.Receive.
func (b *Batch) receive(from *Connection, room, limit int) error {
	n, err := C.batch_receive(b.batch, handle(from.socket), enoughBytes, C.size_t(max(room, 0)), C.size_t(limit))
	runtime.KeepAlive(from)
	if n < 0 {
		return err
	}
	from.heard = true
	return nil
}

// Len returns how many messages the batch holds.
func (b *Batch) Len() int {
	return int(b.batch.count)
}

// Dropped returns how many messages there was no room for.
func (b *Batch) Dropped() int {
	return int(b.batch.dropped)
}

// Full reports whether the batch took in as much as it may, so that more may wait at the socket.
func (b *Batch) Full() bool {
	return b.batch.full != 0
}

// Message returns a message of the batch. It is valid until the batch is released.
func (b *Batch) Message(i int) Frames {
	m := &b.batch.messages[i]
	return Frames{
		Topic:   unsafe.Slice((*byte)(m.topic), int(m.topic_size)),
		Payload: unsafe.Slice((*byte)(m.payload), int(m.payload_size)),
		Count:   int(m.frames),
		Size:    int(m.size),
	}
}

// clear releases the messages.
func (b *Batch) clear() {
	C.batch_release(b.batch)
}

// free frees all that the batch holds.
func (b *Batch) free() {
	b.clear()
	C.free(unsafe.Pointer(b.batch))
	b.batch = nil
}

// handle returns libzmq's own socket, which zmq4 keeps for itself.
func handle(socket *zmq.Socket) unsafe.Pointer {
	return reflect.ValueOf(socket).Elem().FieldByName("soc").UnsafePointer()
}
