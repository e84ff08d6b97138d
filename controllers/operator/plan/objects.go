package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// planOf is the plan of what was simulated. active is the revision that runs the mesh; nil when it is not installed.
func planOf(result *simulated, active *v1alpha1.MeshRevision) *v1alpha1.PlanStatus {
	p := &v1alpha1.PlanStatus{To: result.version, Problem: message.Limit(result.problem.Message, v1alpha1.MaxPlannedText)}
	if active != nil {
		p.From = active.Spec.Version
	}
	p.Unavailable = sentences(result.missing)
	p.Objects = plannedObjects(result.changes, result.unchanged)
	p.Workloads = plannedWorkloads(result)
	p.Workloads.InPlace = int32(result.inPlace)
	return p
}

// plannedObjects counts and lists changes of objects. The Mesh itself is not among them: its mode changes in every plan.
func plannedObjects(changes []dryrun.Change, unchanged int) v1alpha1.PlannedObjects {
	objects := v1alpha1.PlannedObjects{Unchanged: int32(unchanged)}
	for _, change := range changes {
		if change.Kind.Kind == "Mesh" {
			continue
		}
		switch change.Verb {
		case dryrun.Create:
			objects.Create++
		case dryrun.Update:
			objects.Update++
		case dryrun.Repair:
			objects.Repair++
		case dryrun.Delete:
			objects.Delete++
		}
		if len(objects.Changes) < v1alpha1.MaxPlannedObjects {
			objects.Changes = append(objects.Changes, plannedObject(change))
		}
	}
	return objects
}

func plannedObject(change dryrun.Change) v1alpha1.PlannedObject {
	name := change.Kind.Kind + " " + strings.TrimPrefix(change.String(), "/")
	planned := v1alpha1.PlannedObject{Verb: v1alpha1.PlanVerb(change.Verb), Object: message.Limit(name, v1alpha1.MaxPlannedText)}
	fields := change.Fields[:min(len(change.Fields), v1alpha1.MaxPlannedFields)]
	planned.Fields = lists.Map(fields, func(field string) string { return message.Limit(field, v1alpha1.MaxPlannedText/2) })
	planned.MoreFields = int32(len(change.Fields) - len(planned.Fields))
	return planned
}

// atOnceWarning is about a workload that serves nothing during its restart.
const atOnceWarning = "its strategy Recreate ends all pods before new ones start, so it answers no request meanwhile"

// plannedWorkloads counts and lists workloads that would be restarted, and those that would be skipped.
func plannedWorkloads(result *simulated) v1alpha1.PlannedWorkloads {
	w := v1alpha1.PlannedWorkloads{Waves: int32(len(result.waves)), SkippedTotal: int32(len(result.skipped))}
	for i, wave := range result.waves {
		w.Restart += int32(len(wave))
		for _, ref := range wave[:min(len(wave), v1alpha1.MaxPlanned-len(w.Restarts))] {
			restart := v1alpha1.PlannedRestart{Wave: int32(i + 1), Workload: message.Limit(ref.String(), v1alpha1.MaxPlannedText)}
			if result.atOnce[ref] {
				restart.Warning = atOnceWarning
			}
			w.Restarts = append(w.Restarts, restart)
		}
	}
	left := slices.SortedFunc(slices.Values(result.skipped), func(a, b rollout.Note) int { return a.Ref.Compare(b.Ref) })
	for _, note := range left[:min(len(left), v1alpha1.MaxPlanned)] {
		w.Skipped = append(w.Skipped, v1alpha1.SkippedWorkload{
			Workload: message.Limit(note.Ref.String(), v1alpha1.MaxPlannedText),
			Reason:   message.Limit(note.Reason, v1alpha1.MaxPlannedText),
		})
	}
	return w
}

// createsRevision reports whether an object that would be created is a MeshRevision.
func createsRevision(o v1alpha1.PlannedObject) bool {
	return o.Verb == v1alpha1.PlanVerb(dryrun.Create) && strings.HasPrefix(o.Object, "MeshRevision ")
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
	switch {
	case p.From == "":
	case p.From != p.To:
		parts = append([]string{fmt.Sprintf("version %s to %s", p.From, p.To)}, parts...)
	case slices.ContainsFunc(o.Changes, createsRevision):
		parts = append([]string{"other sidecars of version " + p.To}, parts...)
	}
	if w := p.Workloads; w.Restart > 0 {
		parts = append(parts, fmt.Sprintf("workloads: restart %d in %d waves", w.Restart, w.Waves))
	}
	add(p.Workloads.InPlace, "workloads upgraded in place: %d")
	add(p.Workloads.SkippedTotal, "workloads skipped: %d")
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

// hashOf is equal for equal plans, whenever and for whichever generation they were computed.
func hashOf(p *v1alpha1.PlanStatus) string {
	plain := p.DeepCopy()
	plain.Generation, plain.Hash, plain.Time = 0, "", metav1.Time{}
	text, err := json.Marshal(plain)
	if err != nil {
		// Plain data can always be marshalled.
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
