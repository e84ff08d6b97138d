package endtoend

import (
	"context"
	"fmt"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// requestsMetric counts the requests to the API server.
const requestsMetric = "apiserver_request_total"

// writes counts what the control plane has written.
type writes struct{ status, events float64 }

// writes returns how many requests have written the status of policies, and Events, so far, as the API server counts them.
func (c *cluster) writes(ctx context.Context) (writes, error) {
	clients, err := kubernetes.NewForConfig(c.environment.Config)
	if err != nil {
		return writes{}, err
	}
	stream, err := clients.Discovery().RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	if err != nil {
		return writes{}, fmt.Errorf("the API server's metrics cannot be read: %w", err)
	}
	defer stream.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(stream)
	if err != nil {
		return writes{}, err
	}
	var sum writes
	for _, metric := range families[requestsMetric].GetMetric() {
		if !slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY"}, label(metric, "verb")) {
			continue
		}
		switch resource := label(metric, "resource"); {
		case resource == "events":
			sum.events += metric.GetCounter().GetValue()
		case label(metric, "subresource") == "status" && resource != "pods":
			sum.status += metric.GetCounter().GetValue()
		}
	}
	return sum, nil
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
