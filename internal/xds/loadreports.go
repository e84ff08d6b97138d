package xds

import (
	"time"

	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// quietInterval is how often a sidecar reports when nothing is asked for. It is longer than a connection lives.
const quietInterval = time.Hour

// StreamLoadStats accepts load reports and asks for none: a sidecar whose stream is refused would try again for ever.
func (s *Server) StreamLoadStats(stream loadstats.LoadReportingService_StreamLoadStatsServer) error {
	if _, err := s.authenticate(stream.Context()); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return nil
	}
	if err := stream.Send(&loadstats.LoadStatsResponse{LoadReportingInterval: durationpb.New(quietInterval)}); err != nil {
		return nil
	}
	for {
		if _, err := stream.Recv(); err != nil {
			return nil
		}
	}
}
