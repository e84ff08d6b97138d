package current

import (
	"fmt"
	"io"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// Target is the cluster that the demo would be installed in.
type Target struct {
	// Context is the name of the context, Server the address of the API server.
	Context, Server string
}

// ReadTarget reads the current context of a kubeconfig.
func ReadTarget(kubeconfig string) (Target, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return Target{}, fmt.Errorf("read the kubeconfig: %w", err)
	}
	context, found := config.Contexts[config.CurrentContext]
	if !found {
		return Target{}, fmt.Errorf("the kubeconfig %s has no current context: choose one with `kubectl config use-context NAME`", kubeconfig)
	}
	cluster, found := config.Clusters[context.Cluster]
	if !found {
		return Target{}, fmt.Errorf("the kubeconfig %s has no cluster %q, which the context %s names", kubeconfig, context.Cluster, config.CurrentContext)
	}
	return Target{Context: config.CurrentContext, Server: cluster.Server}, nil
}

// Describe prints the target and what the demo creates in it. registry is where its images are pulled from; empty is the default registry.
func (t Target) Describe(out io.Writer, registry string) {
	if registry == "" {
		registry = "docker.io"
	}
	fmt.Fprintf(out, `
The demo will be installed in this cluster:

  context    %s
  server     %s
  namespaces %s
  for all    CustomResourceDefinitions, ClusterRoles, webhooks and admission policies of Open Service Mesh; the Mesh %s
  images     %s/openservicemesh/...

make demo-down CLUSTER=current removes it.
`, t.Context, t.Server, strings.Join(allNamespaces(), ", "), meshName, registry)
}
