package message

import (
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestLimit(t *testing.T) {
	for _, c := range []struct {
		text   string
		length int
		want   string
	}{{"short", 5, "short"}, {"longer", 5, "lo..."}, {"äöü", 6, "äöü"}, {"äöüß", 6, "ä..."}, {"", 5, ""}} {
		got := Limit(c.text, c.length)
		if got != c.want || !utf8.ValidString(got) {
			t.Errorf("Limit(%q, %d) = %q, want %q", c.text, c.length, got, c.want)
		}
	}
	long := strings.Repeat("x", MaxCondition+1)
	if len(ForCondition(long)) != MaxCondition || len(ForEvent(long)) != MaxNote {
		t.Errorf("lengths %d and %d, want %d and %d", len(ForCondition(long)), len(ForEvent(long)), MaxCondition, MaxNote)
	}
}

// recorded is the latest Event.
type recorded struct{ action, note string }

func (r *recorded) Eventf(_, _ runtime.Object, _, _, action, note string, args ...any) {
	r.action = action
	r.note = note
	if note == "%s" {
		r.note, _ = args[0].(string)
	}
}

// The API server rejects Events with longer notes or actions. The names of a namespace and a workload together are longer than an action.
func TestRecorder_LimitsEvents(t *testing.T) {
	inner := &recorded{}
	action := "Deny Deployment " + strings.Repeat("n", 63) + "/" + strings.Repeat("w", 253)
	Recorder{inner}.Eventf(&corev1.Pod{}, nil, corev1.EventTypeWarning, "RestartDenied", action, "%s: 100%% %s", "answer", strings.Repeat("é", 5000))
	if len(inner.action) > 128 || !strings.HasPrefix(inner.action, "Deny Deployment nnn") {
		t.Errorf("the action has %d bytes: %q", len(inner.action), inner.action)
	}
	if len(inner.note) > 1024 || !strings.HasPrefix(inner.note, "answer: 100% é") || !utf8.ValidString(inner.note) {
		t.Errorf("the note has %d bytes: %q", len(inner.note), inner.note)
	}
	Recorder{inner}.Eventf(&corev1.Pod{}, nil, corev1.EventTypeWarning, "Any", "Act", "a note with 100%% of it")
	if inner.action != "Act" || inner.note != "a note with 100% of it" {
		t.Errorf("a short Event is changed: %+v", inner)
	}
}

func TestFirst(t *testing.T) {
	for want, words := range map[string][]string{"": nil, "a, b": {"a", "b"}, "a, b, and 1 more": {"a", "b", "c"}, "a, b, and 3 more": {"a", "b", "c", "d", "e"}} {
		if got := strings.Join(First(words, 2), ", "); got != want {
			t.Errorf("First of %q is %q, want %q", words, got, want)
		}
	}
}
