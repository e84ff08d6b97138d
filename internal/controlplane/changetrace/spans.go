package changetrace

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
)

// record creates the span of a change, and one for each stage. The change is complete, so the spans have times of the past.
func record(tracer trace.Tracer, t status.Trace) {
	ctx, change := tracer.Start(context.Background(), "change", trace.WithNewRoot(), trace.WithTimestamp(t.StartedAt), trace.WithAttributes(
		attribute.Int64("osm.change.number", int64(t.Number)),
		attribute.StringSlice("osm.change.objects", objects(t)),
		attribute.Int("osm.change.total", t.Total),
		attribute.Int("osm.change.scopes", t.Scopes),
		attribute.Int("osm.change.resources", t.Resources),
		attribute.Int("osm.change.sidecars", t.Streams),
		attribute.Int("osm.change.acknowledged", t.Acknowledged),
		attribute.Int("osm.change.rejected", t.Rejected),
		attribute.Int("osm.change.disconnected", t.Disconnected),
	))
	if t.Rejected > 0 {
		change.SetStatus(codes.Error, fmt.Sprintf("%d sidecars rejected the change", t.Rejected))
	}
	end := t.StartedAt.Add(t.Duration)
	at := t.StartedAt
	for stage := status.StageIngest; stage <= status.StageAcknowledge; stage++ {
		spent, reached := t.Stages[stage]
		if !reached {
			continue
		}
		// The last answer ends the change, so the stage of acknowledgements ends with it.
		if stage == status.StageAcknowledge {
			at = end.Add(-spent)
		}
		_, span := tracer.Start(ctx, stage.String(), trace.WithTimestamp(at))
		at = earlier(at.Add(spent), end)
		span.End(trace.WithTimestamp(at))
	}
	change.End(trace.WithTimestamp(end))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// objects names the changed objects as kubectl does.
func objects(t status.Trace) []string {
	var names []string
	for _, o := range t.Objects {
		names = append(names, fmt.Sprintf("%s %s", o.Ref.Kind, o.Ref.Name))
	}
	return names
}
