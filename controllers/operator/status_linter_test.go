package operator_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/testing/conditionlint"
)

// linter checks every written status and collects the violations of each mesh.
type linter struct {
	mu      sync.Mutex
	read    map[string]int
	broken  map[string][]string
	reasons map[string][]string
	// phases are the phases of upgrades by mesh, in their order.
	phases map[string][]v1alpha1.UpgradePhase
}

func newLinter() *linter {
	return &linter{read: map[string]int{}, broken: map[string][]string{}, reasons: map[string][]string{}, phases: map[string][]v1alpha1.UpgradePhase{}}
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

// see checks the object of a watch event.
func (l *linter) see(event watch.Event) {
	if event.Type == watch.Deleted {
		return
	}
	switch object := event.Object.(type) {
	case *v1alpha1.Mesh:
		l.follow(object)
		l.lint(object.Name, "Mesh", object.Generation, object.Status.ObservedGeneration, object.Status.Conditions)
		l.compute(object.Name, object, object.Status.Conditions)
	case *v1alpha1.MeshRevision:
		l.lint(object.Spec.Mesh, "MeshRevision", object.Generation, object.Status.ObservedGeneration, object.Status.Conditions)
		l.compute(object.Spec.Mesh, object, object.Status.Conditions)
	}
}

// compute compares the state that kstatus, the library of Flux, derives from an object with the conditions that users read.
func (l *linter) compute(mesh string, object client.Object, list []metav1.Condition) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	var result *kstatus.Result
	if err == nil {
		result, err = kstatus.Compute(&unstructured.Unstructured{Object: content})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.broken[mesh] = append(l.broken[mesh], fmt.Sprintf("kstatus fails: %v", err))
		return
	}
	ready, stalled := meta.IsStatusConditionTrue(list, v1alpha1.ConditionReady), meta.IsStatusConditionTrue(list, v1alpha1.ConditionStalled)
	switch {
	case result.Status == kstatus.CurrentStatus && !ready:
		l.broken[mesh] = append(l.broken[mesh], fmt.Sprintf("kstatus regards %T %s as complete: %+v", object, object.GetName(), list))
	case result.Status == kstatus.FailedStatus && !stalled:
		l.broken[mesh] = append(l.broken[mesh], fmt.Sprintf("kstatus regards %T %s as failed: %+v", object, object.GetName(), list))
	}
}

// lint checks one status. A new object without a status is valid.
func (l *linter) lint(mesh, kind string, generation, observed int64, list []metav1.Condition) {
	if len(list) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read[mesh]++
	for _, c := range list {
		if kind == "Mesh" && c.Type == v1alpha1.ConditionReady {
			l.reasons[mesh] = append(l.reasons[mesh], c.Reason)
		}
	}
	for _, problem := range conditionlint.Lint(generation, observed, list) {
		l.broken[mesh] = append(l.broken[mesh], fmt.Sprintf("%s: %s in %+v", kind, problem, list))
	}
}

// follow records changes of the phase of an upgrade.
func (l *linter) follow(mesh *v1alpha1.Mesh) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if list := l.phases[mesh.Name]; mesh.Status.Upgrade != nil && (len(list) == 0 || list[len(list)-1] != mesh.Status.Upgrade.Phase) {
		l.phases[mesh.Name] = append(list, mesh.Status.Upgrade.Phase)
	}
}

// phasesOf returns the phases of the upgrades of a mesh.
func (l *linter) phasesOf(mesh string) []v1alpha1.UpgradePhase {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.phases[mesh])
}

// about returns the number of checked statuses of a mesh and their violations.
func (l *linter) about(mesh string) (int, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read[mesh], l.broken[mesh]
}
