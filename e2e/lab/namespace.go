package lab

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// deletionLimit is the time limit for the deletion of a namespace with pods that drain.
const deletionLimit = 2 * time.Minute

// CreateNamespace creates a namespace in a mesh with injection enabled, or outside of any mesh if mesh is empty. It waits for one of
// that name that is being deleted, for instance by the earlier test.
func (c *Cluster) CreateNamespace(ctx context.Context, name, mesh string) error {
	if _, err := c.HasNamespace(ctx, deletionLimit, name); err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	if mesh != "" {
		ns.Labels[names.MonitoredByLabel] = mesh
		ns.Annotations = map[string]string{names.InjectionAnnotation: "enabled"}
	}
	return c.Client.Create(ctx, ns)
}

// HasNamespace reports whether a namespace exists. It waits for one that is being deleted.
func (c *Cluster) HasNamespace(ctx context.Context, limit time.Duration, name string) (bool, error) {
	exists := false
	err := Until(ctx, limit, "the old namespace "+name+" is gone", func(ctx context.Context) (bool, string, error) {
		var ns corev1.Namespace
		err := c.Client.Get(ctx, client.ObjectKey{Name: name}, &ns)
		exists = err == nil && ns.DeletionTimestamp == nil
		return exists || apierrors.IsNotFound(err), string(ns.Status.Phase), client.IgnoreNotFound(err)
	})
	return exists, err
}

// DeleteNamespace deletes a namespace without waiting. A missing namespace is no error.
func (c *Cluster) DeleteNamespace(ctx context.Context, name string) error {
	return client.IgnoreNotFound(c.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
}
