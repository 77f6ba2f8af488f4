package chembus

// Reject is a reason why a message is not taken.
type Reject string

// The reasons; each is counted in a field of its own.
const (
	RejectTopic     Reject = "topic"      // matches the subscription's prefix only
	RejectFrames    Reject = "frames"     // not exactly two frames
	RejectOversize  Reject = "oversize"   // payload over max_message_size
	RejectJSON      Reject = "json"       // not a JSON object in UTF-8
	RejectNoZooid   Reject = "no_zooid"   // no facts, or no zooid in them
	RejectBadName   Reject = "bad_name"   // zooid is no text, empty, too long, or has control characters
	RejectMaxZooids Reject = "max_zooids" // a new zooid when the table is full
	RejectBadSignal Reject = "bad_signal" // a signal lacks what it must say, or says it twice
	RejectBounds    Reject = "bounds"     // a signal says too much
	RejectMaxSeries Reject = "max_series" // a new combination of tags when the table is full
)

// Rejects lists every reason.
var Rejects = []Reject{
	RejectTopic, RejectFrames, RejectOversize, RejectJSON, RejectNoZooid, RejectBadName, RejectMaxZooids,
	RejectBadSignal, RejectBounds, RejectMaxSeries,
}
