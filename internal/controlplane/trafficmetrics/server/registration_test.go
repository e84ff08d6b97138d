package server

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/go-logr/logr/testr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"
)

// root is a PEM text that stands for the root of a replica.
func root(replica int) []byte {
	content := base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("root %d", replica)))
	return []byte("-----BEGIN CERTIFICATE-----\n" + content + "\n-----END CERTIFICATE-----\n")
}

// TestReplicasShareTheAPIService writes the roots of replicas, of which earlier ones were deleted.
func TestReplicasShareTheAPIService(t *testing.T) {
	clients := fake.NewSimpleDynamicClient(runtime.NewScheme(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": "v1alpha1.metrics.smi-spec.io"},
	}})
	for _, replica := range []int{1, 2, 1, 3, 4, 5, 4} {
		if err := (&registration{client: clients, bundle: root(replica), log: testr.New(t)}).write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	live, err := clients.Resource(apiServices).Get(t.Context(), "v1alpha1.metrics.smi-spec.io", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := unstructured.NestedString(live.Object, "spec", "caBundle")
	got, err := base64.StdEncoding.DecodeString(text)
	if want := bytes.Join([][]byte{root(2), root(3), root(4), root(5)}, nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the roots are\n%s, want\n%s: %v", got, want, err)
	}
}
