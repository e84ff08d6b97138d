package pods_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// library is a gRPC application with all kinds of calls.
type library struct {
	grpc_testing.UnimplementedTestServiceServer
	grpc_testing.UnimplementedReconnectServiceServer
	name string
}

func serveGRPC(t *testing.T, listener net.Listener, name string) {
	server := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, &library{name: name})
	grpc_testing.RegisterReconnectServiceServer(server, &library{name: name})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
}

func (l *library) UnaryCall(ctx context.Context, r *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	_ = grpc.SetTrailer(ctx, metadata.Pairs("pod", l.name))
	if desired := r.GetResponseStatus(); desired != nil {
		return nil, status.Error(codes.Code(desired.GetCode()), desired.GetMessage())
	}
	return &grpc_testing.SimpleResponse{Hostname: l.name}, nil
}

func (l *library) StreamingInputCall(stream grpc.ClientStreamingServer[grpc_testing.StreamingInputCallRequest, grpc_testing.StreamingInputCallResponse]) error {
	var size int32
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&grpc_testing.StreamingInputCallResponse{AggregatedPayloadSize: size})
		}
		if err != nil {
			return err
		}
		size += int32(len(request.GetPayload().GetBody()))
	}
}

func (l *library) FullDuplexCall(stream grpc.BidiStreamingServer[grpc_testing.StreamingOutputCallRequest, grpc_testing.StreamingOutputCallResponse]) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return status.Error(codes.Aborted, "all is said")
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: request.GetPayload()}); err != nil {
			return err
		}
	}
}

// grpc checks that all kinds of calls work, and that a sidecar's own responses are valid gRPC statuses.
func (v *village) grpc(t *testing.T) {
	conn := v.dialGRPC(t)
	client := grpc_testing.NewTestServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	answered := map[string]bool{}
	for range 20 {
		answer, err := client.UnaryCall(ctx, &grpc_testing.SimpleRequest{})
		if err != nil {
			t.Fatal(err)
		}
		answered[answer.GetHostname()] = true
	}
	if len(answered) != 2 {
		t.Errorf("one connection reaches %v, want both pods: calls must be balanced, not connections", answered)
	}
	t.Run("status and trailers", func(t *testing.T) { statusOfApplication(ctx, t, client) })
	t.Run("streams", func(t *testing.T) { streams(ctx, t, client) })
	t.Run("denials", func(t *testing.T) { denials(ctx, t, conn) })
}

func (v *village) dialGRPC(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///10.96.0.1:9000", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return v.pods["buyer"].NS.Dial(ctx, "tcp", address)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func statusOfApplication(ctx context.Context, t *testing.T, client grpc_testing.TestServiceClient) {
	var trailer metadata.MD
	request := &grpc_testing.SimpleRequest{ResponseStatus: &grpc_testing.EchoStatus{Code: int32(codes.FailedPrecondition), Message: "not today"}}
	_, err := client.UnaryCall(ctx, request, grpc.Trailer(&trailer))
	if status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "not today" || len(trailer.Get("pod")) != 1 {
		t.Errorf("%v with trailer %v, want the application's status and trailer", err, trailer)
	}
}

func streams(ctx context.Context, t *testing.T, client grpc_testing.TestServiceClient) {
	upload, err := client.StreamingInputCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := upload.Send(&grpc_testing.StreamingInputCallRequest{Payload: &grpc_testing.Payload{Body: make([]byte, 10_000)}}); err != nil {
			t.Fatal(err)
		}
	}
	if sum, err := upload.CloseAndRecv(); err != nil || sum.GetAggregatedPayloadSize() != 100_000 {
		t.Errorf("upload: %v, %v, want 100000 bytes", sum, err)
	}
	both, err := client.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"one", "two", "three"} {
		if err := both.Send(&grpc_testing.StreamingOutputCallRequest{Payload: &grpc_testing.Payload{Body: []byte(word)}}); err != nil {
			t.Fatal(err)
		}
		if answer, err := both.Recv(); err != nil || string(answer.GetPayload().GetBody()) != word {
			t.Fatalf("answer to %q: %v, %v, want it before the next message", word, answer, err)
		}
	}
	_ = both.CloseSend()
	if _, err := both.Recv(); status.Code(err) != codes.Aborted || status.Convert(err).Message() != "all is said" {
		t.Errorf("the stream ended with %v, want the application's status", err)
	}
}

// denials checks that the sidecar's 403 and 404 become the corresponding gRPC statuses.
func denials(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	for method, want := range map[string]codes.Code{
		"/grpc.testing.ReconnectService/Start": codes.PermissionDenied,
		"/grpc.testing.UnknownService/Call":    codes.Unimplemented,
		"/grpc.testing.TestService/CacheableX": codes.Unimplemented,
	} {
		err := conn.Invoke(ctx, method, &grpc_testing.Empty{}, &grpc_testing.Empty{})
		if status.Code(err) != want {
			t.Errorf("%s = %v, want %s", method, err, want)
		}
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/grpc.testing.ReconnectService/Stop")
	if err == nil {
		err = stream.RecvMsg(&grpc_testing.Empty{})
	}
	if !slices.Contains([]codes.Code{codes.PermissionDenied}, status.Code(err)) || status.Convert(err).Message() != "RBAC: access denied" {
		t.Errorf("a stream that is granted to another client = %v, want permission denied with OSM's message", err)
	}
}
