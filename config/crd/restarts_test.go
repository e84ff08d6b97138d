package crd_test

import (
	"context"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// thirdPartyDefinition defines a namespaced kind without a schema.
func thirdPartyDefinition(group, version, kind, plural string) *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped, Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: kind, Plural: plural},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: ptr.To(true)}},
			}},
		},
	}
}

// testWorkloadsAreOnlyRestarted patches workloads of applications as the operator. Its role permits each patch.
func testWorkloadsAreOnlyRestarted(t *testing.T, server *rest.Config) {
	const operatorName = "system:serviceaccount:osm-operator-system:osm-operator"
	envtest.Install(t, server,
		thirdPartyDefinition("argoproj.io", "v1alpha1", "Rollout", "rollouts"), thirdPartyDefinition("apps.kruise.io", "v1alpha1", "CloneSet", "clonesets"))
	admin := newClient(t, server)
	workload := func(version, kind, namespace string) string {
		return "{apiVersion: " + version + ", kind: " + kind + ", metadata: {name: web, namespace: " + namespace + "}, spec: {selector: {matchLabels: {app: a}}, " +
			"template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}}}"
	}
	for _, text := range []string{
		"{apiVersion: v1, kind: Namespace, metadata: {name: restarts}}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: restarts-operator}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: osm-operator}, subjects: [{kind: User, name: '" + operatorName + "'}]}",
		workload("argoproj.io/v1alpha1", "Rollout", "restarts"), workload("apps.kruise.io/v1alpha1", "CloneSet", "restarts"),
		workload("apps/v1", "Deployment", "restarts"), workload("apps/v1", "StatefulSet", "restarts"), workload("apps/v1", "DaemonSet", "restarts"), workload("argoproj.io/v1alpha1", "Rollout", "kube-system"),
	} {
		create(t, admin, parse(t, text))
	}
	createOperatorRole(t, admin)
	operator := newClientOf(t, server, operatorName)
	const annotation = `{"spec": {"template": {"metadata": {"annotations": {"operator.openservicemesh.io/restarted-for": "osm-v0-5-0"}}}}}`
	const restart = `{"metadata": {"annotations": {"operator.openservicemesh.io/restarted-for": "osm-v0-5-0"}}, "spec": {"restartAt": "2026-11-20T12:00:00Z"}}`
	for _, test := range []struct{ name, version, kind, namespace, patch, rejected string }{
		{"a Rollout", "argoproj.io/v1alpha1", "Rollout", "restarts", restart, ""},
		{"a CloneSet", "apps.kruise.io/v1alpha1", "CloneSet", "restarts", annotation, ""},
		{"a Deployment", "apps/v1", "Deployment", "restarts", annotation, ""},
		{"the image of a Deployment", "apps/v1", "Deployment", "restarts", `{"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "evil"}]}}}}`, "changes nothing else"},
		{"the account of a Deployment", "apps/v1", "Deployment", "restarts", `{"spec": {"template": {"spec": {"serviceAccountName": "admin"}}}}`, "changes nothing else"},
		{"the replicas of a Deployment", "apps/v1", "Deployment", "restarts", `{"spec": {"replicas": 9}}`, "changes nothing else"},
		{
			"the image of a Deployment with the label of a mesh", "apps/v1", "Deployment", "restarts",
			`{"metadata": {"labels": {"operator.openservicemesh.io/mesh": "osm"}}, "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "evil"}]}}}}`, "changes nothing else",
		},
		{"a StatefulSet", "apps/v1", "StatefulSet", "restarts", annotation, ""},
		{"a DaemonSet", "apps/v1", "DaemonSet", "restarts", annotation, ""},
		{"the image of a Rollout", "argoproj.io/v1alpha1", "Rollout", "restarts", `{"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "evil"}]}}}}`, "changes nothing else"},
		{"the replicas of a Rollout", "argoproj.io/v1alpha1", "Rollout", "restarts", `{"spec": {"replicas": 9}}`, "changes nothing else"},
		{"the selector of a CloneSet", "apps.kruise.io/v1alpha1", "CloneSet", "restarts", `{"spec": {"selector": null}}`, "changes nothing else"},
		{"the template of a CloneSet", "apps.kruise.io/v1alpha1", "CloneSet", "restarts", `{"spec": {"template": null}}`, "changes nothing else"},
		{"the image of a StatefulSet", "apps/v1", "StatefulSet", "restarts", `{"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "evil"}]}}}}`, "changes nothing else"},
		{"the labels of the pods of a DaemonSet", "apps/v1", "DaemonSet", "restarts", `{"spec": {"template": {"metadata": {"labels": {"role": "admin"}}}}}`, "changes nothing else"},
		{"a Rollout of Kubernetes", "argoproj.io/v1alpha1", "Rollout", "kube-system", restart, "namespaces of Kubernetes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := parse(t, "{apiVersion: "+test.version+", kind: "+test.kind+", metadata: {name: web, namespace: "+test.namespace+"}}")
			var err error
			// The policy, the role and the kinds take effect a moment after they were created.
			_ = wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
				err = operator.Patch(ctx, object.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(test.patch)), client.DryRunAll)
				return (err == nil) == (test.rejected == "") && (err == nil || strings.Contains(err.Error(), test.rejected)), nil
			})
			if (err == nil) != (test.rejected == "") || err != nil && !strings.Contains(err.Error(), test.rejected) {
				t.Errorf("the answer is %v, want %q", err, test.rejected)
			}
		})
	}
}
