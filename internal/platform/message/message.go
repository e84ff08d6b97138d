package message

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

const (
	// MaxCondition is the length of the longest message of a condition, in bytes. It is readable, and far below the 32,768 characters that the
	// API server accepts: it rejects the whole status otherwise.
	MaxCondition = 4096
	// MaxNote is the length of the longest note of an Event that the API server accepts, in bytes.
	MaxNote = 1024
	// maxAction is the length of the longest action of an Event that the API server accepts, in bytes.
	maxAction = 128
)

// ForCondition limits the message of a condition.
func ForCondition(text string) string { return Limit(text, MaxCondition) }

// ForEvent limits the note of an Event.
func ForEvent(text string) string { return Limit(text, MaxNote) }

// Limit limits a text to a length in bytes.
func Limit(text string, length int) string {
	const ending = "..."
	if len(text) <= length {
		return text
	}
	return strings.ToValidUTF8(text[:length-len(ending)], "") + ending
}

// Recorder is an EventRecorder that limits notes and actions. The API server rejects longer ones, and client-go drops the Event.
type Recorder struct{ Inner events.EventRecorder }

// Eventf implements events.EventRecorder.
func (r Recorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	r.Inner.Eventf(regarding, related, kind, reason, Limit(action, maxAction), "%s", ForEvent(fmt.Sprintf(note, args...)))
}

// First returns the first words of a list, and how many more there are.
func First(words []string, most int) []string {
	if len(words) <= most {
		return words
	}
	return append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", len(words)-most))
}
