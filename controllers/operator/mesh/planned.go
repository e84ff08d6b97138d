package mesh

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/rehearsal"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// planOf writes down what was rehearsed. base is the revision that runs the mesh; nil when it is not installed.
func planOf(done *rehearsed, base *v1alpha1.MeshRevision) *v1alpha1.PlanStatus {
	p := &v1alpha1.PlanStatus{To: done.version, Problem: clip(done.problem.Message, v1alpha1.MaxPlannedText)}
	if base != nil {
		p.From = base.Spec.Version
	}
	p.Objects = plannedObjects(done.changes, done.unchanged)
	p.Workloads = plannedWorkloads(done.waves, done.left)
	return p
}

// plannedObjects counts and lists changes of objects. The Mesh itself is not among them: that its mode changes is what a plan is about.
func plannedObjects(changes []rehearsal.Change, unchanged int) v1alpha1.PlannedObjects {
	objects := v1alpha1.PlannedObjects{Unchanged: int32(unchanged)}
	for _, change := range changes {
		if change.Kind.Kind == "Mesh" {
			continue
		}
		switch change.Verb {
		case rehearsal.Create:
			objects.Create++
		case rehearsal.Update:
			objects.Update++
		case rehearsal.Repair:
			objects.Repair++
		case rehearsal.Delete:
			objects.Delete++
		}
		if len(objects.Changes) < v1alpha1.MaxPlannedObjects {
			objects.Changes = append(objects.Changes, plannedObject(change))
		}
	}
	return objects
}

func plannedObject(change rehearsal.Change) v1alpha1.PlannedObject {
	name := change.Kind.Kind + " " + strings.TrimPrefix(change.String(), "/")
	planned := v1alpha1.PlannedObject{Verb: v1alpha1.PlanVerb(change.Verb), Object: clip(name, v1alpha1.MaxPlannedText)}
	for _, field := range change.Fields[:min(len(change.Fields), v1alpha1.MaxPlannedFields)] {
		planned.Fields = append(planned.Fields, clip(field, v1alpha1.MaxPlannedText/2))
	}
	planned.MoreFields = int32(len(change.Fields) - len(planned.Fields))
	return planned
}

// plannedWorkloads counts and lists workloads that would be restarted, and those that would be left.
func plannedWorkloads(waves [][]rollout.Ref, left []rollout.Note) v1alpha1.PlannedWorkloads {
	w := v1alpha1.PlannedWorkloads{Waves: int32(len(waves)), Left: int32(len(left))}
	for i, wave := range waves {
		w.Restart += int32(len(wave))
		for _, ref := range wave {
			if len(w.Restarts) < v1alpha1.MaxPlanned {
				w.Restarts = append(w.Restarts, v1alpha1.PlannedRestart{Wave: int32(i + 1), Workload: clip(ref.String(), v1alpha1.MaxPlannedText)})
			}
		}
	}
	left = slices.SortedFunc(slices.Values(left), func(a, b rollout.Note) int { return a.Ref.Compare(b.Ref) })
	for _, note := range left[:min(len(left), v1alpha1.MaxPlanned)] {
		w.LeftToYou = append(w.LeftToYou, v1alpha1.PlannedNote{Workload: clip(note.Ref.String(), v1alpha1.MaxPlannedText), Reason: clip(note.Reason, v1alpha1.MaxPlannedText)})
	}
	return w
}

// summaryOf is a plan in one sentence.
func summaryOf(p *v1alpha1.PlanStatus) string {
	var parts []string
	add := func(n int32, format string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, n))
		}
	}
	o := p.Objects
	add(o.Create, "create %d")
	add(o.Update, "update %d")
	add(o.Repair, "repair %d")
	add(o.Delete, "delete %d")
	objects := "no object would change"
	if len(parts) > 0 {
		objects = "objects: " + strings.Join(parts, ", ")
	}
	parts = []string{objects}
	if p.From != "" && p.From != p.To {
		parts = append([]string{fmt.Sprintf("version %s to %s", p.From, p.To)}, parts...)
	}
	if w := p.Workloads; w.Restart > 0 {
		parts = append(parts, fmt.Sprintf("workloads: restart %d in %d waves", w.Restart, w.Waves))
	}
	add(p.Workloads.Left, "workloads left to you: %d")
	if p.Proxies != nil {
		add(p.Proxies.Changed, "sidecars configured anew: %d")
	}
	if p.Flows != nil {
		add(p.Flows.Allowed, "flows newly allowed: %d")
		add(p.Flows.Denied, "flows newly denied: %d")
	}
	if p.Problem != "" {
		parts = append(parts, "then: "+p.Problem)
	}
	return strings.Join(parts, "; ")
}

// hashOf is equal for plans that say the same, whenever and for whichever generation they were made.
func hashOf(p *v1alpha1.PlanStatus) string {
	said := p.DeepCopy()
	said.Generation, said.Hash, said.Time = 0, "", metav1.Time{}
	text, err := json.Marshal(said)
	if err != nil {
		// Plain data can always be written.
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// clip shortens a text.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const dots = "..."
	return strings.ToValidUTF8(text[:most-len(dots)], "") + dots
}
