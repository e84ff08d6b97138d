package restart

import (
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// Describe describes what a wave does, and about which workloads nothing can be done; at most some workloads of each sort.
func Describe(w rollout.Wave) string {
	var sentences []string
	for _, part := range []struct {
		what  string
		notes []rollout.Note
	}{
		{"restarting", notes(w.Restart, w.InProgress)},
		{"waiting", w.Waiting},
		{"cannot be restarted now", w.Blocked},
		{"skipped", w.Manual},
	} {
		if len(part.notes) > 0 {
			sentences = append(sentences, part.what+": "+list(part.notes))
		}
	}
	return strings.Join(sentences, "; ")
}

// notes are workloads without reasons.
func notes(lists ...[]rollout.Ref) []rollout.Note {
	var all []rollout.Note
	for _, refs := range lists {
		for _, ref := range refs {
			all = append(all, rollout.Note{Ref: ref})
		}
	}
	return all
}

// list names the first workloads, with the reason when there is one.
func list(notes []rollout.Note) string {
	const most = 5
	var texts []string
	for _, note := range notes[:min(len(notes), most)] {
		text := note.Ref.String()
		if note.Reason != "" {
			text += " (" + note.Reason + ")"
		}
		texts = append(texts, text)
	}
	if len(notes) > most {
		texts = append(texts, fmt.Sprintf("and %d more", len(notes)-most))
	}
	return strings.Join(texts, ", ")
}
