package dryrun_test

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
)

// requests returns one request.
func requests(context.Context) ([]reconcile.Request, error) {
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: "osm"}}}, nil
}

func nothing(context.Context) error { return nil }

func never(context.Context) (bool, error) { return false, nil }

// A controller that reacts to what a later one writes is called again.
func TestRunRepeatsUntilNothingChanges(t *testing.T) {
	_, c := newDryRun(t)
	exists := func(name string) bool {
		return c.Get(t.Context(), client.ObjectKeyFromObject(configMap(name, nil)), &corev1.ConfigMap{}) == nil
	}
	createsAfter := func(name, dependency string) reconcile.Func {
		return func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
			if exists(name) || dependency != "" && !exists(dependency) {
				return reconcile.Result{}, nil
			}
			return reconcile.Result{}, c.Create(ctx, configMap(name, nil))
		}
	}
	failed, err := c.Run(t.Context(), nothing, never,
		dryrun.Controller{Name: "second", Requests: requests, Reconcile: createsAfter("second", "first")},
		dryrun.Controller{Name: "first", Requests: requests, Reconcile: createsAfter("first", "")},
	)
	if failed != nil || err != nil || !exists("second") {
		t.Errorf("failed %v, error %v, second exists: %t", failed, err, exists("second"))
	}
}

func TestRunWaitsForRequeues(t *testing.T) {
	cluster, c := newDryRun(t)
	polls := func(deadline, requeue time.Duration) reconcile.Func {
		return func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
			if cluster.Now().Sub(noon) < deadline {
				return reconcile.Result{RequeueAfter: requeue}, nil
			}
			if err := c.Create(ctx, configMap("late", nil)); client.IgnoreAlreadyExists(err) != nil {
				return reconcile.Result{}, err
			}
			return reconcile.Result{}, nil
		}
	}
	if failed, err := c.Run(t.Context(), nothing, never, dryrun.Controller{Requests: requests, Reconcile: polls(time.Hour, time.Minute)}); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	checkChanges(t, cluster, "Create late")

	cluster, c = newDryRun(t)
	if failed, err := c.Run(t.Context(), nothing, never, dryrun.Controller{Requests: requests, Reconcile: polls(90*24*time.Hour, 60*24*time.Hour)}); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	checkChanges(t, cluster)
}

func TestRunReturnsFailuresOfTheLastRound(t *testing.T) {
	_, c := newDryRun(t)
	denied := errors.New("denied")
	failed, err := c.Run(t.Context(), nothing, never, dryrun.Controller{
		Name: "rollout", Requests: requests,
		Reconcile: func(context.Context, reconcile.Request) (reconcile.Result, error) { return reconcile.Result{}, denied },
	})
	if err != nil || !errors.Is(failed, denied) || failed.Error() != "rollout osm: denied" {
		t.Errorf("failed %v, error %v", failed, err)
	}
}

func TestRunEndsWhenChangesNeverEnd(t *testing.T) {
	_, c := newDryRun(t)
	flip := func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		if err := c.Create(ctx, configMap("a", nil)); err == nil {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, c.Delete(ctx, configMap("a", nil))
	}
	if _, err := c.Run(t.Context(), nothing, never, dryrun.Controller{Requests: requests, Reconcile: flip}); !errors.Is(err, dryrun.ErrTooManyRounds) {
		t.Errorf("error = %v, want ErrTooManyRounds", err)
	}
}

// The conditions of a Mesh report what no retry can cure.
func TestTerminalErrorsAreNoFailureOfARun(t *testing.T) {
	cluster, _ := newDryRun(t)
	reconciler := func(context.Context, reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, reconcile.TerminalError(errors.New("invalid"))
	}
	failed, err := cluster.Run(t.Context(), nothing, never, dryrun.Controller{Name: "a", Requests: requests, Reconcile: reconciler})
	if failed != nil || err != nil {
		t.Errorf("failed %v, error %v", failed, err)
	}
}

// A clock that skips an hour is not an operator that was away for an hour.
func TestSkippedTimeIsObserved(t *testing.T) {
	evaluated, unevaluated := &v1alpha1.MeshRevision{}, &v1alpha1.MeshRevision{}
	evaluated.Name, unevaluated.Name = "evaluated", "unevaluated"
	cluster, c := newDryRun(t, evaluated, unevaluated)
	evaluated.Status.ObservedTime, unevaluated.Status.HealthyTime = ptr.To(metav1.NewTime(noon)), ptr.To(metav1.NewTime(noon))
	for _, revision := range []*v1alpha1.MeshRevision{evaluated, unevaluated} {
		if err := c.Status().Update(t.Context(), revision); err != nil {
			t.Fatal(err)
		}
	}
	writes := cluster.Writes()
	cluster.AdvanceClock(time.Hour)
	for _, revision := range []*v1alpha1.MeshRevision{evaluated, unevaluated} {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(revision), revision); err != nil {
			t.Fatal(err)
		}
	}
	if observed := evaluated.Status.ObservedTime; !observed.Equal(ptr.To(metav1.NewTime(noon.Add(time.Hour)))) || unevaluated.Status.ObservedTime != nil {
		t.Errorf("observed at %v and %v", observed, unevaluated.Status.ObservedTime)
	}
	if cluster.Writes() != writes {
		t.Error("the clock has written")
	}
}
