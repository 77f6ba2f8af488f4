package chembus

// Queue holds what was received on a connection and was not read yet. It is bounded in bytes: what there is no room for
// is dropped, so that whoever sends more than can be read takes no more memory than that. It belongs to the goroutine
// that owns the connection.
type Queue struct {
	limit      int // bytes
	frameLimit int // bytes
	size       int // bytes that wait
	waiting    []*Batch
	spare      *Batch // kept for the next call of Fill
}

// NewQueue returns an empty queue of up to limit bytes, in which a frame longer than frameLimit bytes takes the room of
// its beginning only. Free it after use.
func NewQueue(limit, frameLimit int) *Queue {
	return &Queue{limit: limit, frameLimit: max(frameLimit, excerptLength), spare: newBatch()}
}

// Fill takes in a batch of what waits at the socket, without waiting. It returns the batch, so that it can be given the
// time of its arrival. The error is that of Connection.Receive.
func (q *Queue) Fill(from *Connection) (*Batch, error) {
	b := q.spare
	if b == nil {
		b = newBatch()
	}
	q.spare = nil
	if err := b.receive(from, q.limit-q.size-batchSize, q.frameLimit); err != nil {
		q.recycle(b)
		return nil, err
	}
	if b.Len() == 0 { // everything was dropped
		q.recycle(b)
		return b, nil
	}
	q.size += batchSize + int(b.batch.size)
	q.waiting = append(q.waiting, b)
	return b, nil
}

// Head returns the batch that has waited longest; nil if none waits.
func (q *Queue) Head() *Batch {
	if len(q.waiting) == 0 {
		return nil
	}
	return q.waiting[0]
}

// Done releases the head once its messages were read.
func (q *Queue) Done() {
	b := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	if len(q.waiting) == 0 {
		q.waiting = nil // so that what was appended to is not kept
	}
	q.size -= batchSize + int(b.batch.size)
	b.clear()
	q.recycle(b)
}

func (q *Queue) recycle(b *Batch) {
	if q.spare != nil {
		b.free()
		return
	}
	q.spare = b
}

// Free frees all that the queue holds.
func (q *Queue) Free() {
	for len(q.waiting) > 0 {
		q.Done()
	}
	q.spare.free()
	q.spare = nil
}
