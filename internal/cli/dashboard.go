package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/component/grafana"
	"github.com/openservicemesh/osm-operator/internal/operator/component/jaeger"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// dashboardPage is a web page that a pod in the namespace of the mesh serves.
type dashboardPage struct {
	// title is the name of the program, and app the label value of its pods.
	title, app string
	port       uint16
	// remedy is how to get the program. It contains the namespace of the mesh.
	remedy string
	// placeholder is in the page of a program that was compiled without its web assets.
	placeholder string
}

// dashboardPages are the pages by argument. The labels and ports are those of OSM's chart.
var dashboardPages = map[string]dashboardPage{
	"grafana": {
		"Grafana", grafana.Name, grafana.Port,
		"the Mesh does not run one in namespace %s: set spec.observability.grafana.mode to Managed", "",
	},
	"prometheus": {
		"Prometheus", prometheus.Name, prometheus.Port,
		"the Mesh does not run one in namespace %s: set spec.observability.prometheus.mode to Managed", "Error opening React index.html",
	},
	"jaeger": {
		"Jaeger", jaeger.Name, jaeger.QueryPort,
		"the Mesh does not run one in namespace %s: set spec.observability.jaeger.mode to Managed and spec.observability.tracing.enabled to true", "This is not the Jaeger UI you are looking for",
	},
}

// meshPage is the argument for the page of the mesh itself.
const meshPage = "mesh"

func (a *app) dashboardCommand() *cobra.Command {
	var meshName string
	var local, remote uint16
	var browser bool
	cmd := &cobra.Command{
		Use:   "dashboard [mesh|grafana|prometheus|jaeger]",
		Short: "Open the page of a mesh, or one of its programs",
		Long: `Serve the page of a mesh on a local port and open it in a browser, until interrupted. The page shows the traffic as a graph,
sidecars, policies, certificates, changes and the rollout in progress. It reads with your permissions and needs no Prometheus.
With one in the mesh, it has latencies and verdicts too.

With the name of a program, forward a local port to it and open it. The program must run in the mesh's namespace, as a pod with
the label app=osm-grafana, app=osm-prometheus or app=jaeger. The Mesh runs them if spec.observability selects the mode Managed.

Without an argument, open Grafana if one runs, and the page of the mesh otherwise.`,
		Example: `  osm dashboard
  osm dashboard mesh
  osm dashboard prometheus -p 9090 -b=false`,
		ValidArgs: append(slices.Sorted(maps.Keys(dashboardPages)), meshPage),
		Args:      cobra.MaximumNArgs(1),
	}
	cmd.RunE = a.run(func(ctx context.Context, args []string) error {
		name := strings.Join(args, "")
		page, known := dashboardPages[cmp.Or(name, "grafana")]
		if !known && name != meshPage {
			return fmt.Errorf("unknown dashboard %q: use %s", name, strings.Join(cmd.ValidArgs, ", "))
		}
		c, m, err := a.open(ctx, meshName)
		if err != nil {
			return err
		}
		port := func(standard uint16) int {
			if cmd.Flags().Changed("local-port") {
				return int(local)
			}
			return int(standard)
		}
		if name == "" {
			runs, err := page.exists(ctx, c, m)
			if err != nil {
				return err
			}
			if !runs {
				name = meshPage
			}
		}
		if name == meshPage {
			return a.servePage(ctx, c, m, port(pagePort), browser)
		}
		return a.dashboard(ctx, c, m, page, port(page.port), int(cmp.Or(remote, page.port)), browser)
	})
	cmd.AddCommand(a.dashboardExportCommand())
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().Uint16VarP(&local, "local-port", "p", 0, "local port; 0 selects a free port (default: 9080 for the mesh, or the port of the program)")
	cmd.Flags().Uint16VarP(&remote, "remote-port", "r", 0, "port of the pod (default: 3000 for Grafana, 7070 for Prometheus, 16686 for Jaeger)")
	cmd.Flags().BoolVarP(&browser, "open-browser", "b", true, "open a browser")
	return cmd
}

func (a *app) dashboard(ctx context.Context, c client.Client, m mesh, page dashboardPage, local, remote int, browser bool) error {
	pod, err := page.runningPod(ctx, c, m)
	if err != nil {
		return err
	}
	a.note("[+] Starting Dashboard forwarding")
	return a.kube.Hold(ctx, m.Namespace, pod, local, remote, func(address string) {
		url := "http://" + address
		if page.hasPages(ctx, url) {
			a.announce(ctx, url, browser)
			return
		}
		a.announce(ctx, url, false)
		a.note("The %s of mesh %s was built without web pages, so only its API answers at this address. `osm dashboard mesh` shows the mesh.", page.title, m.Name)
	})
}

// announce prints the address of a page and opens it.
func (a *app) announce(ctx context.Context, url string, browser bool) {
	a.progress().setQuiet(true)
	a.line("%s", url)
	if !browser {
		return
	}
	a.note("[+] Issuing open browser %s", url)
	if err := browse(ctx, url); err != nil {
		a.note("Could not open a browser (%v): open the address yourself.", err)
	}
}

// exists reports whether the mesh has a pod of the program, running or not.
func (p dashboardPage) exists(ctx context.Context, c client.Client, m mesh) (bool, error) {
	var pods corev1.PodList
	err := c.List(ctx, &pods, client.InNamespace(m.Namespace), client.MatchingLabels{names.AppLabel: p.app}, client.Limit(1))
	return len(pods.Items) > 0, err
}

// runningPod returns the name of a running pod that serves the page.
func (p dashboardPage) runningPod(ctx context.Context, c client.Client, m mesh) (string, error) {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(m.Namespace), client.MatchingLabels{names.AppLabel: p.app}); err != nil {
		return "", err
	}
	for i := range pods.Items {
		if pods.Items[i].Status.Phase == corev1.PodRunning {
			return pods.Items[i].Name, nil
		}
	}
	if len(pods.Items) > 0 {
		return "", fmt.Errorf("the %s of mesh %s is not running: run `kubectl -n %s describe pods -l app=%s` for details", p.title, m.Name, m.Namespace, p.app)
	}
	return "", fmt.Errorf("mesh %s has no %s, and "+p.remedy, m.Name, p.title, m.Namespace)
}

// browse opens a page in the default browser of the platform.
func browse(ctx context.Context, page string) error {
	switch runtime.GOOS {
	case "darwin":
		return exec.CommandContext(ctx, "open", page).Run() //nolint:gosec // the URL is that of a page of this program
	case "windows":
		return exec.CommandContext(ctx, "rundll32", "url.dll,FileProtocolHandler", page).Run() //nolint:gosec // the same
	}
	return exec.CommandContext(ctx, "xdg-open", page).Run() //nolint:gosec // the same
}

func (a *app) dashboardExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write the dashboards into files, for Grafana",
		Long: `Write the dashboards of this version as JSON files into a folder, which is created if it does not exist. Import them into Grafana.
No cluster is needed.`,
		Example: `  osm dashboard export dashboards`,
		Args:    exactly(1, "FOLDER"),
		RunE:    a.run(func(_ context.Context, args []string) error { return a.exportDashboards(args[0]) }),
	}
}

func (a *app) exportDashboards(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // dashboards are no secrets
		return fmt.Errorf("the folder cannot be created: %w", err)
	}
	for _, d := range dashboards.All() {
		text, err := dashboards.Grafana(d)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, d.File+".json")
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // the same
			return fmt.Errorf("a dashboard cannot be written: %w", err)
		}
		a.line("%s", path)
	}
	return nil
}

// Limits of the request that looks for web pages.
const (
	pagesTimeout  = 5 * time.Second
	maxPagesBytes = 64 << 10
)

// hasPages reports whether the program at url has web pages. One that does not answer counts as having them: the browser then shows why.
func (p dashboardPage) hasPages(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, pagesTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return true
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return true
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPagesBytes))
	if err != nil {
		return true
	}
	return p.placeholder == "" || !bytes.Contains(body, []byte(p.placeholder))
}
