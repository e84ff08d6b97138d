package cli

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Label value of the app label, and HTTP port, of a mesh's Grafana.
const (
	grafanaApp  = "osm-grafana"
	grafanaPort = 3000
)

func (a *app) dashboardCommand() *cobra.Command {
	var meshName string
	var local, remote uint16
	var browser bool
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Open the Grafana dashboards of a mesh",
		Long: `Forward a local port to the Grafana of a mesh and open it in a browser, until interrupted. Grafana must run as a pod with the label
app=osm-grafana in the mesh's namespace. This version of the operator does not deploy Grafana; deploy your own.`,
		Example: `  osm dashboard
  osm dashboard -p 3001 -b=false`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.dashboard(ctx, meshName, int(local), int(remote), browser)
		}),
	}
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().Uint16VarP(&local, "local-port", "p", grafanaPort, "local port; 0 selects a free port")
	cmd.Flags().Uint16VarP(&remote, "remote-port", "r", grafanaPort, "port of the Grafana pod")
	cmd.Flags().BoolVarP(&browser, "open-browser", "b", true, "open a browser")
	return cmd
}

func (a *app) dashboard(ctx context.Context, meshName string, local, remote int, browser bool) error {
	c, m, err := a.open(ctx, meshName, nil)
	if err != nil {
		return err
	}
	pod, err := grafanaOf(ctx, c, m)
	if err != nil {
		return err
	}
	a.note("[+] Starting Dashboard forwarding")
	return a.kube.Hold(ctx, m.Namespace, pod, local, remote, func(address string) {
		a.progress().setQuiet(true)
		page := "http://" + address
		a.line("%s", page)
		if !browser {
			return
		}
		a.note("[+] Issuing open browser %s", page)
		if err := browse(ctx, page); err != nil {
			a.note("Could not open a browser (%v): open %s.", err, page)
		}
	})
}

// grafanaOf returns the name of the running Grafana pod of a mesh.
func grafanaOf(ctx context.Context, c client.Client, m mesh) (string, error) {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(m.Namespace), client.MatchingLabels{names.AppLabel: grafanaApp}); err != nil {
		return "", err
	}
	for i := range pods.Items {
		if pods.Items[i].Status.Phase == corev1.PodRunning {
			return pods.Items[i].Name, nil
		}
	}
	if len(pods.Items) > 0 {
		return "", fmt.Errorf("the Grafana of mesh %s is not running: run `kubectl -n %s describe pods -l app=%s` for details", m.Name, m.Namespace, grafanaApp)
	}
	return "", fmt.Errorf("mesh %s has no Grafana, and this version of the operator does not deploy it: deploy Grafana with the pod label app=%s in namespace %s, and enable metrics with `osm metrics enable`", m.Name, grafanaApp, m.Namespace)
}

// browse opens a page in the default browser of the platform.
func browse(ctx context.Context, page string) error {
	switch runtime.GOOS {
	case "darwin":
		return exec.CommandContext(ctx, "open", page).Run()
	case "windows":
		return exec.CommandContext(ctx, "rundll32", "url.dll,FileProtocolHandler", page).Run()
	}
	return exec.CommandContext(ctx, "xdg-open", page).Run()
}
