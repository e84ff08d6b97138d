package rollout

import (
	"fmt"
	"slices"
)

// stages divides namespaces into stages, in their order. The last one has those that belong to none. Without stages, it has all of them.
func (l Limits) stages(namespaces []string) [][]string {
	all := make([][]string, len(l.Stages)+1)
	for _, namespace := range namespaces {
		stage, found := l.StageOf[namespace]
		if !found || stage >= len(l.Stages) {
			stage = len(l.Stages)
		}
		all[stage] = append(all[stage], namespace)
	}
	return all
}

// endStage ends the stage of some namespaces: no workload of later ones is changed while something is left to do in them. What cannot be done now is not
// waited for, as in the whole mesh.
func (w *Wave) endStage(limits Limits, namespaces []string) {
	in := func(ref Ref) bool { return slices.Contains(namespaces, ref.Namespace) }
	noted := func(note Note) bool { return in(note.Ref) }
	isComplete := !slices.ContainsFunc(w.Restart, in) && !slices.ContainsFunc(w.InProgress, in) && !slices.ContainsFunc(w.Upgrading, noted) &&
		!slices.ContainsFunc(w.Waiting, noted)
	if isComplete || w.awaitedStage != "" {
		return
	}
	for _, namespace := range namespaces {
		if stage, found := limits.StageOf[namespace]; found {
			w.awaitedStage = fmt.Sprintf("the stage %s comes first", limits.Stages[stage])
			return
		}
	}
}
