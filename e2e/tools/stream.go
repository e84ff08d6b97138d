package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

func streamCommand() *cobra.Command {
	var tokenFile, node string
	cmd := &cobra.Command{
		Use:   "stream ADDRESS",
		Short: "request configuration from a control plane like a sidecar",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			token := ""
			if tokenFile != "" {
				data, err := os.ReadFile(tokenFile)
				if err != nil {
					return err
				}
				token = strings.TrimSpace(string(data))
			}
			result, err := stream(cmd.Context(), args[0], token, node)
			if err != nil {
				return err
			}
			return printReport(cmd, result)
		},
	}
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file with the token to send (default: none)")
	cmd.Flags().StringVar(&node, "node", "", "node id to send")
	return cmd
}

// stream opens a delta xDS stream and subscribes to clusters.
func stream(ctx context.Context, address, token, node string) (report.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	secure := credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test checks how the server verifies the client
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(secure))
	if err != nil {
		return report.Stream{}, fmt.Errorf("control plane %s: %w", address, err)
	}
	defer conn.Close()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	response, err := subscribe(ctx, conn, node)
	if err != nil {
		return report.Stream{Code: status.Code(err).String(), Message: status.Convert(err).Message()}, nil
	}
	return report.Stream{Code: codes.OK.String(), Resources: len(response.GetResources())}, nil
}

func subscribe(ctx context.Context, conn *grpc.ClientConn, node string) (*discoveryv3.DeltaDiscoveryResponse, error) {
	ads, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return nil, err
	}
	// The status of a rejected stream is returned by Recv; a failed Send only reports the end of the stream.
	_ = ads.Send(&discoveryv3.DeltaDiscoveryRequest{
		Node:                   &corev3.Node{Id: node},
		TypeUrl:                "type.googleapis.com/envoy.config.cluster.v3.Cluster",
		ResourceNamesSubscribe: []string{"*"},
	})
	return ads.Recv()
}

const (
	// stallTick is the interval in which a stallWatch expects to run.
	stallTick = 20 * time.Millisecond
	// minStall is the shortest delay that counts as a stall.
	minStall = 5 * stallTick
)

// stall is an interval in which this program had no processor.
type stall struct{ from, to time.Time }

// stallWatch records when this program had no processor, because delays it measures then may be its own.
type stallWatch struct {
	mu     sync.Mutex
	last   time.Time
	stalls []stall
}

// startStallWatch records stalls until ctx ends.
func startStallWatch(ctx context.Context) *stallWatch {
	w := &stallWatch{last: time.Now()}
	go func() {
		ticker := time.NewTicker(stallTick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.recordTick(time.Now())
			}
		}
	}()
	return w
}

// recordTick records a time at which the program runs.
func (w *stallWatch) recordTick(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.last) >= minStall {
		w.stalls = append(w.stalls, stall{w.last.Add(stallTick), now})
	}
	w.last = now
}

// between returns the total stall time between a past moment and now.
func (w *stallWatch) between(moment, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sum time.Duration
	if now.Sub(w.last) >= minStall {
		sum = stall{w.last.Add(stallTick), now}.after(moment)
	}
	for i := len(w.stalls) - 1; i >= 0 && w.stalls[i].to.After(moment); i-- {
		sum += w.stalls[i].after(moment)
	}
	return sum
}

// after returns the part of the stall after a moment.
func (s stall) after(moment time.Time) time.Duration {
	if s.from.Before(moment) {
		return max(0, s.to.Sub(moment))
	}
	return s.to.Sub(s.from)
}
