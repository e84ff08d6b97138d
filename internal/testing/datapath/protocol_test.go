package datapath

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// protocol is one that applications use.
type protocol struct {
	name string
	// port is that of the application.
	port uint16
	mesh inventory.Protocol
	// serve runs the application.
	serve func(t testing.TB, listener net.Listener)
	// connect opens a connection from a pod.
	connect func(t testing.TB, from *pods.Pod, address string) exchange
}

var protocols = []protocol{
	{"HTTP1", 8080, inventory.ProtocolHTTP, serveHTTP, func(t testing.TB, from *pods.Pod, address string) exchange {
		return requests(t, &http.Transport{DialContext: from.NS.Dial}, address)
	}},
	{"HTTP2", 8080, inventory.ProtocolHTTP, serveHTTP, func(t testing.TB, from *pods.Pod, address string) exchange {
		transport := &http.Transport{DialContext: from.NS.Dial, Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		return requests(t, transport, address)
	}},
	{"gRPC", 9000, inventory.ProtocolHTTP, serveGRPC, calls},
	{"TCP", 3306, inventory.ProtocolTCP, serveLines, lines},
}

func serveHTTP(t testing.TB, listener net.Listener) {
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
		Protocols: new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// requests returns an exchange over a transport of its own, which has one connection.
func requests(t testing.TB, transport *http.Transport, address string) exchange {
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	return func() error {
		response, err := client.Get("http://" + address + "/books")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the status is %s", response.Status)
		}
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
}

// greeter answers each call.
type greeter struct {
	grpc_testing.UnimplementedTestServiceServer
}

// UnaryCall implements grpc_testing.TestServiceServer.
func (greeter) UnaryCall(context.Context, *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	return &grpc_testing.SimpleResponse{}, nil
}

func serveGRPC(t testing.TB, listener net.Listener) {
	server := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, greeter{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
}

func calls(t testing.TB, from *pods.Pod, address string) exchange {
	dial := func(ctx context.Context, address string) (net.Conn, error) { return from.NS.Dial(ctx, "tcp", address) }
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := grpc_testing.NewTestServiceClient(conn)
	return func() error {
		_, err := client.UnaryCall(context.Background(), &grpc_testing.SimpleRequest{})
		return err
	}
}

// serveLines echoes each line.
func serveLines(_ testing.TB, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_, _ = io.Copy(conn, conn)
		}()
	}
}

func lines(t testing.TB, from *pods.Pod, address string) exchange {
	conn, err := from.NS.Dial(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	reader := bufio.NewReader(conn)
	return func() error {
		if _, err := io.WriteString(conn, "hello\n"); err != nil {
			return err
		}
		_, err := reader.ReadString('\n')
		return err
	}
}

// loggers selects access loggers of HTTP connections. Logs and statistics of workloads are access loggers.
type loggers func(*accesslogv3.AccessLog) bool

func allLoggers(*accesslogv3.AccessLog) bool { return true }
func noLoggers(*accesslogv3.AccessLog) bool  { return false }

// onlyText selects the log in text, without statistics.
func onlyText(logger *accesslogv3.AccessLog) bool { return logger.GetName() == "stdout" }

// part is the mesh without the other loggers.
func (l loggers) part() part {
	return part{manager: func(m *hcmv3.HttpConnectionManager) {
		m.AccessLog = slices.DeleteFunc(m.AccessLog, func(logger *accesslogv3.AccessLog) bool { return !l(logger) })
	}}
}
