package dataplane

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// workloadCache holds every workload.
type workloadCache struct{ cache.Cache }

func (workloadCache) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	return nil
}

// rejectingWriter rejects every patch.
type rejectingWriter struct {
	client.Writer
	err error
}

func (w rejectingWriter) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return w.err
}

func TestRestartErrorNamesTheWorkload(t *testing.T) {
	ref := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "web"}
	denied := apierrors.NewForbidden(schema.GroupResource{Group: appsv1.GroupName, Resource: "deployments"}, "web", errors.New("denied by policy"))
	plane := &Plane{cache: workloadCache{}, writer: rejectingWriter{err: denied}}
	err := plane.Restart(t.Context(), ref, "osm-v0-2-0", noon)
	var rejected *RestartError
	if !errors.As(err, &rejected) || rejected.Workload != ref {
		t.Fatalf("error = %v, want a RestartError of %s", err, ref)
	}
	if !apierrors.IsForbidden(err) {
		t.Errorf("the error of the API server is lost: %v", err)
	}
}
