package operator_test

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	const name = "drift"
	mesh := readyMesh(t, name, nil)

	deployment := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	change(t, deployment, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "evil/image:1" })
	waitFor(t, deployment, func(d *appsv1.Deployment) error {
		if image := d.Spec.Template.Spec.Containers[0].Image; image != "example/controller:1" {
			return fmt.Errorf("the image is still %s", image)
		}
		return nil
	})

	service := &corev1.Service{ObjectMeta: inMeshNamespace(name, names.Injector)}
	get(t, service)
	was := service.UID
	if err := cluster.client.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	waitFor(t, service, func(s *corev1.Service) error {
		if s.UID == was {
			return fmt.Errorf("the Service was not recreated")
		}
		return nil
	})

	// An added subject is an added permission, so the list is owned as a whole.
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller-drift"}}
	change(t, binding, func(b *rbacv1.ClusterRoleBinding) {
		b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Name: "intruder", Namespace: "default"})
	})
	waitFor(t, binding, func(b *rbacv1.ClusterRoleBinding) error {
		if len(b.Subjects) != 1 {
			return fmt.Errorf("the binding has %d subjects", len(b.Subjects))
		}
		return nil
	})

	webhook := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: names.MutatingWebhook(name)}}
	ignore := admissionv1.Ignore
	change(t, webhook, func(w *admissionv1.MutatingWebhookConfiguration) { w.Webhooks[0].FailurePolicy = &ignore })
	waitFor(t, webhook, func(w *admissionv1.MutatingWebhookConfiguration) error {
		if *w.Webhooks[0].FailurePolicy != admissionv1.Fail {
			return fmt.Errorf("the failure policy is still Ignore")
		}
		return nil
	})
	waitReady(t, mesh)
	waitEvent(t, "osm-controller", "DriftRepaired", "outside the operator", "image")
}

// Fields that the operator does not declare keep the values of users.
func TestUnmanagedFieldsSurvive(t *testing.T) {
	t.Parallel()
	const name = "guests"
	readyMesh(t, name, nil)
	deployment := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)}
	change(t, deployment, func(d *appsv1.Deployment) {
		d.Annotations["example/owner"] = "team"
		d.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Key: "example", Operator: corev1.TolerationOpExists}}
	})
	service := &corev1.Service{ObjectMeta: inMeshNamespace(name, names.Injector)}
	change(t, service, func(s *corev1.Service) { s.Spec.Selector["app"] = "wrong" })
	waitFor(t, service, func(s *corev1.Service) error {
		if s.Spec.Selector["app"] != names.Injector {
			return fmt.Errorf("the selector is still wrong")
		}
		return nil
	})
	waitNoWrites(t, name)
	get(t, deployment)
	if deployment.Annotations["example/owner"] != "team" || len(deployment.Spec.Template.Spec.Tolerations) != 1 {
		t.Errorf("fields of others were removed: %v, %v", deployment.Annotations, deployment.Spec.Template.Spec.Tolerations)
	}
}

// waitEvent waits for an Event whose note contains all words.
func waitEvent(t *testing.T, about, reason string, words ...string) {
	t.Helper()
	eventually(t, func() error {
		var list eventsv1.EventList
		if err := cluster.client.List(t.Context(), &list, client.InNamespace("")); err != nil {
			return err
		}
		for i := range list.Items {
			e := &list.Items[i]
			if e.Reason == reason && containsAll(e.Note, append(words, about)) {
				return nil
			}
		}
		return fmt.Errorf("there is no Event %s that contains %q", reason, words)
	})
}

// containsAll reports whether a text contains all words.
func containsAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Events of one object are added up, and show the text of the first. A deleted object looks like one that never existed.
func TestEachDriftHasItsEvent(t *testing.T) {
	t.Parallel()
	const name = "drifting"
	readyMesh(t, name, nil)
	deployment := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)}
	change(t, deployment, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "evil/image:1" })
	waitEvent(t, meshNamespace(name)+"/osm-injector", "DriftRepaired", "image")
	change(t, deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](7) })
	waitEvent(t, meshNamespace(name)+"/osm-injector", "DriftRepaired", "replicas")
	remove(t, deployment)
	waitEvent(t, meshNamespace(name)+"/osm-injector", "DriftRepaired", "created", "deleted outside the operator")
	remove(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "osm-controller-drifting"}})
	waitEvent(t, "osm-controller-drifting", "DriftRepaired", "created", "deleted outside the operator")
}

// Pods with the tokens of a deleted ServiceAccount are rejected by the API server until they are replaced.
func TestRecreatedAccountReplacesThePods(t *testing.T) {
	t.Parallel()
	const name = "replacedaccount"
	readyMesh(t, name, nil)
	for _, component := range []string{names.Controller, names.Injector} {
		account := &corev1.ServiceAccount{ObjectMeta: inMeshNamespace(name, component)}
		get(t, account)
		before := account.UID
		remove(t, account)
		waitRecreated(t, account, before)
		waitFor(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, component)}, func(d *appsv1.Deployment) error {
			if uid := d.Spec.Template.Annotations[names.AccountAnnotation]; uid != string(account.UID) {
				return fmt.Errorf("the pods of %s are those of account %q, want %s", component, uid, account.UID)
			}
			return nil
		})
	}
}
