package message

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// Recorder is an EventRecorder that limits notes and actions. The API server rejects longer ones, and client-go drops the Event.
type Recorder struct{ Inner events.EventRecorder }

// Eventf implements events.EventRecorder.
func (r Recorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	r.Inner.Eventf(regarding, related, kind, reason, Limit(action, maxAction), "%s", ForEvent(fmt.Sprintf(note, args...)))
}
