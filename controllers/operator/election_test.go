package operator_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator"
)

// candidate runs an operator that competes for the Lease in a namespace, until stop is called.
func candidate(t *testing.T, namespace string) (elected <-chan struct{}, stop func()) {
	t.Helper()
	catalogue, err := versions()
	if err != nil {
		t.Fatal(err)
	}
	mgr, err := operator.NewManager(cluster.rest, operator.Options{
		Catalogue: catalogue, Namespace: namespace, LeaderElection: true, Now: time.Now, Logger: logr.Discard(), ProbeAddress: "0",
		SeveralInOneProcess: true, Health: cluster.health, Compatibility: supportedSteps(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = mgr.Start(ctx)
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return mgr.Elected(), stop
}

// operatorIn creates a namespace whose ServiceAccount has the permission by which operators recognise each other.
func operatorIn(t *testing.T, namespace string) {
	t.Helper()
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"meshes/status"}, Verbs: []string{"patch"}}},
	}
	create(t, role)
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "osm-operator"}},
	})
}

// Two operators in different namespaces would undo each other's changes.
func TestOneOperatorPerCluster(t *testing.T) {
	for _, namespace := range []string{"operators-a", "operators-b"} {
		operatorIn(t, namespace)
	}
	first, stop := candidate(t, "operators-a")
	select {
	case <-first:
	case <-time.After(defaultTimeout):
		t.Fatal("the only operator is not elected")
	}
	second, _ := candidate(t, "operators-b")
	waitEvent(t, "operators-a", "StandingBy")
	select {
	case <-second:
		t.Fatal("two operators are elected")
	default:
	}
	stop()
	select {
	case <-second:
	case <-time.After(defaultTimeout):
		t.Fatal("the second operator is not elected after the first has stopped")
	}
}

// An operator releases its Lease when it stops, so the next one does not wait for its expiry.
func TestStoppedOperatorReleasesItsLease(t *testing.T) {
	const namespace = "osm-operator-election"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	first, stop := candidate(t, namespace)
	select {
	case <-first:
	case <-time.After(defaultTimeout):
		t.Fatal("the only operator is not elected")
	}
	second, _ := candidate(t, namespace)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "osm-operator"}}
	get(t, lease)
	holder, lasts := *lease.Spec.HolderIdentity, time.Duration(*lease.Spec.LeaseDurationSeconds)*time.Second
	select {
	case <-second:
		t.Fatal("two operators are elected")
	default:
	}
	begin := time.Now()
	stop()
	waitFor(t, lease, func(l *coordinationv1.Lease) error {
		if now := ptr.Deref(l.Spec.HolderIdentity, ""); now == "" || now == holder {
			return fmt.Errorf("the Lease is held by %q", now)
		}
		return nil
	})
	if took := time.Since(begin); took > lasts-time.Second {
		t.Errorf("the next operator took over after %s, when the Lease of %s had expired", took, lasts)
	}
	<-second
}
