package enqueue

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestConflictsAreRetriedWithoutAnError(t *testing.T) {
	other := errors.New("refused")
	for name, test := range map[string]struct {
		err     error
		want    error
		requeue bool
	}{
		"conflict":               {apierrors.NewConflict(schema.GroupResource{Resource: "meshes"}, "osm", other), nil, true},
		"conflict among others":  {errors.Join(apierrors.NewConflict(schema.GroupResource{Resource: "meshes"}, "osm", other), other), nil, true},
		"another error":          {other, other, false},
		"no error keeps nothing": {nil, nil, false},
	} {
		r := RetryConflicts(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, test.err
		}))
		result, err := r.Reconcile(t.Context(), reconcile.Request{})
		if !errors.Is(err, test.want) || (result.RequeueAfter > 0) != test.requeue {
			t.Errorf("%s: the result is %+v, %v", name, result, err)
		}
	}
}
