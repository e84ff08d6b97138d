package cli

import (
	"bytes"
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

	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/sidecartable"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func (a *app) proxyCommand() *cobra.Command {
	return group("proxy", "Inspect sidecars", nil,
		a.proxyAdminCommand("get", http.MethodGet, "Query the Envoy admin interface of a pod", `  osm proxy get config_dump bookbuyer-5c797ff5f4-tck47 -n bookbuyer
  osm proxy get routes bookbuyer-5c797ff5f4-tck47 -n bookbuyer
  osm proxy get clusters bookbuyer-5c797ff5f4-tck47 -n bookbuyer -f clusters.txt`),
		a.proxyAdminCommand("set", http.MethodPost, "Send a command to the Envoy admin interface of a pod", `  osm proxy set 'logging?level=debug' bookbuyer-5c797ff5f4-tck47 -n bookbuyer
  osm proxy set reset_counters bookbuyer-5c797ff5f4-tck47 -n bookbuyer`),
		a.proxyStatusCommand())
}

// adminTimeout bounds a request to Envoy's admin interface.
const adminTimeout = 30 * time.Second

func (a *app) proxyAdminCommand(name, method, short, example string) *cobra.Command {
	var file string
	var local uint16
	queries := `QUERY is a path such as 'logging?level=debug' or reset_counters; "osm proxy get help POD" lists all paths.`
	if method == http.MethodGet {
		queries = `QUERY is a path such as config_dump, clusters, listeners, stats, certs, ready or server_info; "help" lists all paths. ` +
			"The queries " + strings.Join(sidecartable.Names(), " and ") + " print tables."
	}
	cmd := &cobra.Command{
		Use:     name + " QUERY POD",
		Short:   short,
		Long:    short + " and print the response. POD is NAME or NAMESPACE/NAME.\n\n" + queries,
		Example: example,
		Args:    exactly(2, "QUERY or POD"),

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
			query := args[0]
			if known, ok := sidecartable.Queries()[query]; ok && method == http.MethodGet {
				query, show = known.Path, tableOf(known, show)
			}
			return a.queryAdmin(ctx, method, query, namespace, args[1], int(local), show)
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "write the response to a file")
	cmd.Flags().Uint16VarP(&local, "local-port", "p", 0, "local port to forward (default: any free port)")
	return cmd
}

// tableOf shows an answer as a table.
func tableOf(q sidecartable.Query, show func(io.Reader) error) func(io.Reader) error {
	return func(answer io.Reader) error {
		table, err := q.Table(answer)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := new(output.Flag).Print(&text, output.Result{Table: table}); err != nil {
			return err
		}
		return show(&text)
	}
}

// queryAdmin sends a request to the Envoy admin interface of a pod.
func (a *app) queryAdmin(ctx context.Context, method, query, namespace, name string, local int, show func(io.Reader) error) error {
	parsed := parseName(namespace, name)
	namespace, name = parsed.Namespace, parsed.Name
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	pod := &corev1.Pod{}
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("Could not find pod %s in namespace %s: specify it as NAMESPACE/POD, or with -n", name, namespace) //nolint:staticcheck // same message as OSM
	}
	if err != nil {
		return err
	}
	if pod.Labels[names.ProxyUUIDLabel] == "" {
		return fmt.Errorf("Pod %s in namespace %s is not a part of a mesh: it has no sidecar", name, namespace) //nolint:staticcheck // same message as OSM
	}
	if pod.Status.Phase != corev1.PodRunning {
		return fmt.Errorf("pod %s in namespace %s is not running: its phase is %s", name, namespace, pod.Status.Phase)
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	address, err := a.kube.Forward(ctx, namespace, name, local, names.AdminPort)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+"/"+strings.TrimPrefix(query, "/"), nil)
	if err != nil {
		return fmt.Errorf("invalid query %q: %w", query, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("sidecar of pod %s/%s does not respond: %w", namespace, name, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		return fmt.Errorf("sidecar of pod %s/%s returned status %s for %s: %s", namespace, name, response.Status, query, strings.TrimSpace(string(text)))
	}
	return show(response.Body)
}
