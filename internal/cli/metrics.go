package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// metricsSwitch describes how to enable or disable metrics of namespaces.
type metricsSwitch struct {
	on          bool
	word        string
	annotation  any
	annotations map[string]any
}

func (a *app) metricsCommand() *cobra.Command {
	on := metricsSwitch{on: true, word: "enable", annotation: "enabled", annotations: map[string]any{
		names.ScrapeAnnotation: "true", names.ScrapePortAnnotation: strconv.Itoa(names.PrometheusPort), names.ScrapePathAnnotation: "/stats/prometheus",
	}}
	off := metricsSwitch{word: "disable", annotations: map[string]any{
		names.ScrapeAnnotation: nil, names.ScrapePortAnnotation: nil, names.ScrapePathAnnotation: nil,
	}}
	return group("metrics", "Enable and disable metrics of sidecars", nil,
		a.metricsSwitchCommand(on, "Enable metrics of the sidecars in namespaces"),
		a.metricsSwitchCommand(off, "Disable metrics of the sidecars in namespaces"))
}

func (a *app) metricsSwitchCommand(s metricsSwitch, short string) *cobra.Command {
	var namespaces []string
	cmd := &cobra.Command{
		Use:   s.word,
		Short: short,
		Long:  short + `. Applies to existing and new pods. Prometheus scrapes pods by their prometheus.io annotations.`,
		Example: fmt.Sprintf(`  osm metrics %s --namespace shop
  osm metrics %s --namespace shop,billing`, s.word, s.word),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if len(namespaces) == 0 {
				return fmt.Errorf("missing namespace: usage: `osm metrics %s --namespace NAMESPACE`", s.word)
			}
			c, err := a.kube.Client()
			if err != nil {
				return err
			}
			for _, name := range namespaces {
				if err := a.switchMetrics(ctx, c, s, name); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	cmd.Flags().StringSliceVarP(&namespaces, "namespace", "n", nil, "namespaces, separated by commas")
	_ = cmd.RegisterFlagCompletionFunc("namespace", a.completeNamespaces)
	return cmd
}

func (a *app) switchMetrics(ctx context.Context, c client.Client, s metricsSwitch, name string) error {
	ns, err := getNamespace(ctx, c, name)
	if err != nil {
		return fmt.Errorf("Failed to retrieve namespace [%s]: %w", name, err) //nolint:staticcheck // same message as OSM
	}
	if ns.Labels[names.MonitoredByLabel] == "" {
		return fmt.Errorf("Namespace [%s] does not belong to a mesh, missing label %q: add it with `osm namespace add %s`", name, names.MonitoredByLabel, name) //nolint:staticcheck // same message as OSM
	}
	if err := patchMeta(ctx, c, ns, nil, map[string]any{names.MetricsAnnotation: s.annotation}); err != nil {
		return fmt.Errorf("Failed to %s metrics in namespace [%s]: %w", s.word, name, err) //nolint:staticcheck // same message as OSM
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(name), client.HasLabels{names.ProxyUUIDLabel}); err != nil {
		return err
	}
	for i := range pods.Items {
		if err := patchMeta(ctx, c, &pods.Items[i], nil, s.annotations); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("Failed to %s metrics for existing pod %s in namespace [%s]: %w", s.word, pods.Items[i].Name, name, err) //nolint:staticcheck // same message as OSM
		}
	}
	a.line("Metrics successfully %sd in namespace [%s]", s.word, name)
	return nil
}
