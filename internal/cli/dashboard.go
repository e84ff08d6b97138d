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

// grafanaApp is the label app of a mesh's Grafana, and the port that it serves its pages on.
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
		Short: "Open the dashboards of a mesh",
		Long: `Opens a local port that leads to the Grafana of a mesh, and the browser, until it is interrupted. The Grafana is a pod with the
label app=osm-grafana in the namespace of the mesh; this version's operator deploys none, so it is there only if you have deployed
one.`,
		Example: `  osm dashboard
  osm dashboard -p 3001 -b=false`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.dashboard(ctx, meshName, int(local), int(remote), browser)
		}),
	}
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().Uint16VarP(&local, "local-port", "p", grafanaPort, "local port to open; 0 chooses one that is free")
	cmd.Flags().Uint16VarP(&remote, "remote-port", "r", grafanaPort, "port of Grafana in its pod")
	cmd.Flags().BoolVarP(&browser, "open-browser", "b", true, "open the browser")
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
		a.progress().hush(true)
		page := "http://" + address
		a.line("%s", page)
		if !browser {
			return
		}
		a.note("[+] Issuing open browser %s", page)
		if err := browse(ctx, page); err != nil {
			a.note("No browser can be opened here (%v): open %s yourself.", err, page)
		}
	})
}

// grafanaOf is the pod of a mesh's Grafana.
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
		return "", fmt.Errorf("the Grafana of mesh %s is not running: see why with `kubectl -n %s describe pods -l app=%s`", m.Name, m.Namespace, grafanaApp)
	}
	return "", fmt.Errorf("the mesh %s has no Grafana: this version's operator deploys none. Deploy one whose pod has the label app=%s into namespace %s, and let Prometheus read the metrics that `osm metrics enable` offers", m.Name, grafanaApp, m.Namespace)
}

// browse shows a page with the program that the platform has for that.
func browse(ctx context.Context, page string) error {
	switch runtime.GOOS {
	case "darwin":
		return exec.CommandContext(ctx, "open", page).Run()
	case "windows":
		return exec.CommandContext(ctx, "rundll32", "url.dll,FileProtocolHandler", page).Run()
	}
	return exec.CommandContext(ctx, "xdg-open", page).Run()
}
