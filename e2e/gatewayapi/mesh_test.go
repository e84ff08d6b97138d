package gatewayapi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// secretsBinding lets the control plane read the certificates of Gateways.
const secretsBinding = "conformance-gateway-certificates"

// cleanupLimit is the time limit for the deletion of the namespaces of the suite and of the pods of its Gateways.
const cleanupLimit = 3 * time.Minute

// prepareMesh makes the mesh permissive, because the pods of the suite have one service account, and gives it pods for each Gateway, because the Gateways
// of the suite have the same ports. At the end of the test the mesh is as before, and the test fails if the cluster is not.
func prepareMesh(t *testing.T) {
	t.Helper()
	before, err := state(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { restore(t, before) })
	// The Gateways of the suite refer to Secrets in namespaces that it makes itself, so the permission to read them is for all namespaces.
	if _, err := cluster.Kubectl(t.Context(), "create", "clusterrolebinding", secretsBinding, "--clusterrole="+names.DefaultMesh+"-gateway-certificate-reader",
		"--serviceaccount="+names.DefaultNamespace+":osm-controller"); err != nil {
		t.Fatal(err)
	}
	if err := patchMesh(t.Context(), `{"traffic":{"permissive":true},"ingressGateway":{"mode":"Managed","deployment":"PerGateway","allowedNamespaces":["gateway-conformance-infra","gateway-conformance-app-backend","gateway-conformance-web-backend","gateway-conformance-mesh","gateway-conformance-mesh-consumer"],"replicas":1,"service":{"type":"ClusterIP"}}}`); err != nil {
		t.Fatal(err)
	}
}

// restore removes what prepareMesh has created, and waits until the cluster has nothing that it did not have before.
func restore(t *testing.T, before []string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	_, err := cluster.Kubectl(ctx, "delete", "clusterrolebinding", secretsBinding, "--ignore-not-found")
	// A field that is removed from the Mesh keeps its value in the MeshConfig, so the field is written first.
	err = errors.Join(err, patchMesh(ctx, `{"traffic":{"permissive":false},"ingressGateway":null}`))
	err = errors.Join(err, lab.Until(ctx, cleanupLimit, "the cluster as before", func(ctx context.Context) (bool, string, error) {
		now, err := state(ctx)
		left := slices.DeleteFunc(now, func(line string) bool { return slices.Contains(before, line) })
		return len(left) == 0, "left behind: " + strings.Join(left, ", "), err
	}), patchMesh(ctx, `{"traffic":null}`))
	if err != nil {
		t.Error(err)
	}
}

// state lists what the suite could leave behind: objects, and whether the mesh is permissive.
func state(ctx context.Context) ([]string, error) {
	var all []string
	for _, query := range [][]string{
		{"namespaces", "-o", "name"},
		{"clusterrolebindings", "-o", "name"},
		{"gateways,httproutes,grpcroutes,tlsroutes,tcproutes,referencegrants", "--all-namespaces", "-o", "name"},
		{"deployments,services,configmaps,horizontalpodautoscalers,poddisruptionbudgets", "--namespace", names.DefaultNamespace, "-o", "name"},
		{"meshconfigs", "--all-namespaces", "-o", `jsonpath={range .items[?(@.spec.traffic.enablePermissiveTrafficPolicyMode==true)]}permissive meshconfig {.metadata.namespace}{"\n"}{end}`},
	} {
		found, err := cluster.Kubectl(ctx, append([]string{"get"}, query...)...)
		if err != nil {
			return nil, err
		}
		all = append(all, strings.FieldsFunc(found, func(r rune) bool { return r == '\n' })...)
	}
	return all, nil
}

// patchMesh changes the spec of the Mesh.
func patchMesh(ctx context.Context, spec string) error {
	_, err := cluster.Kubectl(ctx, "patch", "mesh", names.DefaultMesh, "--type=merge", "-p", `{"spec":`+spec+`}`)
	return err
}
