package crd_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testSlotsHaveImagesOfTheMesh patches pods as the operator and as an administrator.
func testSlotsHaveImagesOfTheMesh(t *testing.T, server *rest.Config, admin client.Client) {
	const operatorName, forgedName = "system:serviceaccount:osm-operator-system:osm-operator", "system:serviceaccount:slots:osm-operator"
	slots := func(namespace, name, label string) string {
		return "{apiVersion: v1, kind: Pod, metadata: {name: " + name + ", namespace: " + namespace + ", labels: {" + label + "}}, spec: {automountServiceAccountToken: false, " +
			"initContainers: [{name: osm-init, image: 'init:1'}, {name: envoy, image: 'envoy:1', restartPolicy: Always}, {name: envoy-standby, image: 'envoy:2', restartPolicy: Always}], " +
			"containers: [{name: app, image: 'app:1'}]}}"
	}
	const injected = "osm-proxy-uuid: a"
	for _, text := range []string{
		"{apiVersion: v1, kind: Namespace, metadata: {name: slots, labels: {openservicemesh.io/monitored-by: osm}}}",
		"{apiVersion: v1, kind: Namespace, metadata: {name: slots-outside}}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: slots-operator}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: osm-operator}, subjects: [{kind: User, name: '" + operatorName + "'}]}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: edit-pods, namespace: slots}, rules: [{apiGroups: [''], resources: [pods], verbs: [get, patch]}]}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: edit-pods, namespace: slots}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: edit-pods}, subjects: [{kind: User, name: '" + forgedName + "'}]}",
		slots("slots", "web", injected), slots("slots", "recorded", injected+"}, annotations: {kept: a, operator.openservicemesh.io/slot-change: before"), slots("slots", "other", "app: other"), slots("slots-outside", "web", injected),
		"{apiVersion: v1, kind: Pod, metadata: {name: single, namespace: slots, labels: {" + injected + "}}, spec: {automountServiceAccountToken: false, " +
			"initContainers: [{name: envoy, image: 'envoy:1', restartPolicy: Always}], containers: [{name: app, image: 'app:1'}]}}",
	} {
		create(t, admin, parse(t, text))
	}
	createOperatorRole(t, admin)
	operator, forged := newClientOf(t, server, operatorName), newClientOf(t, server, forgedName)
	const recorded = `{"metadata": {"annotations": {"operator.openservicemesh.io/slot-change": "a"}}}`
	const both = `{"metadata": {"annotations": {"operator.openservicemesh.io/slot-change": "a"}}, "spec": {"initContainers": [{"name": "envoy", "image": "envoy:3"}]}}`
	const withOther = `{"metadata": {"annotations": {"operator.openservicemesh.io/slot-change": "a", "a": "b"}}, "spec": {"initContainers": [{"name": "envoy", "image": "envoy:3"}]}}`
	const ofOperator = "only the operator writes the annotation operator.openservicemesh.io/slot-change"
	image := func(list, name, image string) string {
		return `{"spec": {"` + list + `": [{"name": "` + name + `", "image": "` + image + `"}]}}`
	}
	for _, test := range []struct {
		name            string
		as              client.Client
		namespace, pod  string
		patch, rejected string
	}{
		{"a slot", operator, "slots", "web", image("initContainers", "envoy-standby", "envoy:3"), ""},
		{"the other slot", operator, "slots", "web", image("initContainers", "envoy", "envoy:3"), ""},
		{"a slot and its record", operator, "slots", "web", both, ""},
		{"the record of a pod that has one", operator, "slots", "recorded", both, ""},
		{"a slot, its record and another annotation", operator, "slots", "web", withOther, "images of the slots"},
		{"another annotation of a pod with a record", operator, "slots", "recorded", `{"metadata": {"annotations": {"kept": "b"}}}`, "images of the slots"},
		{"a removed annotation", operator, "slots", "recorded", `{"metadata": {"annotations": {"kept": null}}}`, "images of the slots"},
		{"the application", operator, "slots", "web", image("containers", "app", "app:2"), "images of the slots"},
		{"osm-init", operator, "slots", "web", image("initContainers", "osm-init", "init:2"), "images of the slots"},
		{"a label", operator, "slots", "web", `{"metadata": {"labels": {"app": "admin"}}}`, "images of the slots"},
		{"an annotation", operator, "slots", "web", `{"metadata": {"annotations": {"a": "b"}}}`, "images of the slots"},
		{"a finalizer", operator, "slots", "web", `{"metadata": {"finalizers": ["example.com/a"]}}`, "images of the slots"},
		{"the deadline", operator, "slots", "web", `{"spec": {"activeDeadlineSeconds": 1}}`, "images of the slots"},
		{"a slot with the application", operator, "slots", "web", `{"spec": {"initContainers": [{"name": "envoy", "image": "envoy:4"}], "containers": [{"name": "app", "image": "app:2"}]}}`, "images of the slots"},
		{"a pod with one sidecar", operator, "slots", "single", image("initContainers", "envoy", "envoy:3"), "pods with two slots"},
		{"a pod that was not injected", operator, "slots", "other", image("initContainers", "envoy", "envoy:3"), "pods with two slots"},
		{"a pod outside the mesh", operator, "slots-outside", "web", image("initContainers", "envoy", "envoy:3"), "pods with two slots"},

		{"another image", admin, "slots", "web", image("initContainers", "envoy", "evil:1"), "only the operator changes the image of a sidecar"},
		{"another image, by an account with the name of the operator", forged, "slots", "web", image("initContainers", "envoy", "evil:1"), "only the operator changes the image of a sidecar"},
		{"a record", admin, "slots", "web", recorded, ofOperator},
		{"another record", admin, "slots", "recorded", recorded, ofOperator},
		{"no record", admin, "slots", "recorded", `{"metadata": {"annotations": {"operator.openservicemesh.io/slot-change": null}}}`, ofOperator},
		{"a record, by an account with the name of the operator", forged, "slots", "web", recorded, ofOperator},
		{"another annotation as its owner", admin, "slots", "recorded", `{"metadata": {"annotations": {"kept": "b"}}}`, ""},
		{"the image of the other slot", admin, "slots", "web", image("initContainers", "envoy", "envoy:2"), ""},
		{"the application as its owner", admin, "slots", "web", image("containers", "app", "app:2"), ""},
		{"a label as its owner", admin, "slots", "web", `{"metadata": {"labels": {"app": "web"}}}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := parse(t, "{apiVersion: v1, kind: Pod, metadata: {name: "+test.pod+", namespace: "+test.namespace+"}}")
			var err error
			// The policy and the role take effect a moment after they were created.
			_ = wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
				err = test.as.Patch(ctx, object.DeepCopy(), client.RawPatch("application/strategic-merge-patch+json", []byte(test.patch)), client.DryRunAll)
				return (err == nil) == (test.rejected == "") && (err == nil || strings.Contains(err.Error(), test.rejected)), nil
			})
			if (err == nil) != (test.rejected == "") || err != nil && !strings.Contains(err.Error(), test.rejected) {
				t.Errorf("the answer is %v, want %q", err, test.rejected)
			}
		})
	}
}
