package operator_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
)

// linter reads every status that is ever written, and keeps what is wrong with it, by mesh.
type linter struct {
	mu      sync.Mutex
	read    map[string]int
	broken  map[string][]string
	reasons map[string][]string
	// phases are those of upgrades, in their order, by mesh.
	phases map[string][]string
}

func newLinter() *linter {
	return &linter{read: map[string]int{}, broken: map[string][]string{}, reasons: map[string][]string{}, phases: map[string][]string{}}
}

// start watches until ctx ends.
func (l *linter) start(ctx context.Context, running *sync.WaitGroup, c client.WithWatch) error {
	for _, list := range []client.ObjectList{&v1alpha1.MeshList{}, &v1alpha1.MeshRevisionList{}} {
		watcher, err := c.Watch(ctx, list)
		if err != nil {
			return err
		}
		running.Go(func() {
			defer watcher.Stop()
			for event := range watcher.ResultChan() {
				l.see(event)
			}
		})
	}
	return nil
}

// see reads one state of an object.
func (l *linter) see(event watch.Event) {
	if event.Type == watch.Deleted {
		return
	}
	switch object := event.Object.(type) {
	case *v1alpha1.Mesh:
		l.follow(object)
		l.lint(object.Name, "Mesh", object.Generation, object.Status.ObservedGeneration, object.Status.Conditions)
	case *v1alpha1.MeshRevision:
		l.lint(object.Spec.Mesh, "MeshRevision", object.Generation, object.Status.ObservedGeneration, object.Status.Conditions)
	}
}

// lint checks one status; an object without one was just created.
func (l *linter) lint(mesh, kind string, generation, observed int64, conditions []metav1.Condition) {
	if len(conditions) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read[mesh]++
	for _, c := range conditions {
		if kind == "Mesh" && c.Type == v1alpha1.ConditionReady {
			l.reasons[mesh] = append(l.reasons[mesh], c.Reason)
		}
	}
	for _, problem := range condition.Lint(generation, observed, conditions) {
		l.broken[mesh] = append(l.broken[mesh], fmt.Sprintf("%s: %s in %+v", kind, problem, conditions))
	}
}

// follow notes the phase of an upgrade when it is another one.
func (l *linter) follow(mesh *v1alpha1.Mesh) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if list := l.phases[mesh.Name]; mesh.Status.Upgrade != nil && (len(list) == 0 || list[len(list)-1] != mesh.Status.Upgrade.Phase) {
		l.phases[mesh.Name] = append(list, mesh.Status.Upgrade.Phase)
	}
}

// phasesOf returns the phases that the upgrades of a mesh went through.
func (l *linter) phasesOf(mesh string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.phases[mesh])
}

// about returns how many statuses of a mesh were read, and what was wrong with them.
func (l *linter) about(mesh string) (int, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read[mesh], l.broken[mesh]
}
