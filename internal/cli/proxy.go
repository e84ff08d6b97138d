package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

func (a *app) proxyCommand() *cobra.Command {
	return group("proxy", "Look into sidecars", nil,
		a.proxyAdminCommand("get", http.MethodGet, "Ask the Envoy of a pod", `  osm proxy get config_dump bookbuyer-5c797ff5f4-tck47 -n bookbuyer
  osm proxy get clusters bookbuyer-5c797ff5f4-tck47 -n bookbuyer -f clusters.txt`),
		a.proxyAdminCommand("set", http.MethodPost, "Tell the Envoy of a pod to do something", `  osm proxy set 'logging?level=debug' bookbuyer-5c797ff5f4-tck47 -n bookbuyer
  osm proxy set reset_counters bookbuyer-5c797ff5f4-tck47 -n bookbuyer`),
		a.proxyStatusCommand())
}

// adminPatience is how long Envoy may take for an answer.
const adminPatience = 30 * time.Second

func (a *app) proxyAdminCommand(name, method, short, example string) *cobra.Command {
	var file string
	var local uint16
	cmd := &cobra.Command{
		Use:     name + " QUERY POD",
		Short:   short,
		Long:    short + `, by its administration interface, and print the answer as it comes. QUERY is a path of that interface, such as config_dump, clusters, listeners, stats, certs, ready or server_info; "help" lists them all.`,
		Example: example,
		Args:    exactly(2, "the query or the name of the pod"),

		ValidArgsFunction: a.completeAdmin,
		RunE: a.run(func(ctx context.Context, args []string) error {
			namespace, err := a.kube.Namespace()
			if err != nil {
				return err
			}
			show := func(answer io.Reader) error {
				if file == "" {
					_, err := io.Copy(a.Out, answer)
					return err
				}
				return writeFile(file, func(w io.Writer) error { _, err := io.Copy(w, answer); return err })
			}
			return a.askEnvoy(ctx, method, args[0], namespace, args[1], int(local), show)
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "write the answer to a file")
	cmd.Flags().Uint16VarP(&local, "local-port", "p", 0, "local port for the way to the pod (default: any that is free)")
	return cmd
}

// askEnvoy sends a request to the administration interface of a pod's sidecar.
func (a *app) askEnvoy(ctx context.Context, method, query, namespace, name string, local int, show func(io.Reader) error) error {
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	pod := &corev1.Pod{}
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("Could not find pod %s in namespace %s: name its namespace with -n", name, namespace) //nolint:staticcheck // the sentence that users of OSM know
	}
	if err != nil {
		return err
	}
	if pod.Labels[names.ProxyUUIDLabel] == "" {
		return fmt.Errorf("Pod %s in namespace %s is not a part of a mesh: it has no sidecar", name, namespace) //nolint:staticcheck // the sentence that users of OSM know
	}
	if pod.Status.Phase != corev1.PodRunning {
		return fmt.Errorf("the pod %s in namespace %s is not running, it is %s", name, namespace, pod.Status.Phase)
	}
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	address, err := a.kube.Forward(ctx, namespace, name, local, names.AdminPort)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+"/"+strings.TrimPrefix(query, "/"), nil)
	if err != nil {
		return fmt.Errorf("%q is not a path of the administration interface: %w", query, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the sidecar of pod %s/%s does not answer: %w", namespace, name, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		return fmt.Errorf("the sidecar of pod %s/%s answers %s to %s: %s", namespace, name, response.Status, query, strings.TrimSpace(string(text)))
	}
	return show(response.Body)
}
