package policies_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/config/admission"
	"github.com/openservicemesh/osm-operator/controllers/operator/policies"
)

// recorder keeps what is applied.
type recorder struct{ applied []*unstructured.Unstructured }

func (r *recorder) ApplyAll(_ context.Context, _ client.Object, objects []*unstructured.Unstructured) error {
	r.applied = append(r.applied, objects...)
	return nil
}

func TestPoliciesProtectTheNamespaceOfTheOperator(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "operators", UID: "1"}}
	applied := &recorder{}
	reconciler := &policies.Reconciler{
		Applier: applied, Reader: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(namespace).Build(),
		Namespace: "operators", Files: admission.Policies, Log: testr.New(t),
	}
	if err := reconciler.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds, protected := map[string]int{}, false
	for _, object := range applied.applied {
		kinds[object.GetKind()]++
		text, err := json.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "osm-operator-system") {
			t.Errorf("%s %s refers to the default namespace", object.GetKind(), object.GetName())
		}
		protected = protected || strings.Contains(string(text), "oldObject.metadata.name == 'operators'")
		if owners := object.GetOwnerReferences(); len(owners) != 1 || owners[0].UID != "1" {
			t.Errorf("%s %s belongs to %v, want the namespace", object.GetKind(), object.GetName(), owners)
		}
	}
	if !protected {
		t.Error("no policy protects the namespace operators")
	}
	if count := kinds["ValidatingAdmissionPolicy"]; count < 7 || count != kinds["ValidatingAdmissionPolicyBinding"] {
		t.Errorf("applied %v, want all policies and as many bindings", kinds)
	}
}

func TestPoliciesWithoutNamespace(t *testing.T) {
	applied := &recorder{}
	reconciler := &policies.Reconciler{
		Applier: applied, Reader: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build(), Namespace: "operators",
		Files: admission.Policies, Log: testr.New(t),
	}
	if err := reconciler.Apply(t.Context()); err == nil || len(applied.applied) > 0 {
		t.Errorf("policies without an owner would remain for ever: error %v, %d applied", err, len(applied.applied))
	}
}
