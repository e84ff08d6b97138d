package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

const (
	// webSocketPath is the path of the echo over a WebSocket.
	webSocketPath = "/lines"
	// streamService and streamMethod are the echo over a gRPC stream, with a StringValue for each line.
	streamService, streamMethod = "osm.test.Lines", "Exchange"
	// exchangeTimeout is how long the echo of a line may take.
	exchangeTimeout = 5 * time.Second
)

// lines sends lines to an echo server.
type lines interface {
	io.Closer
	// exchange sends a line, and returns the next one from the server.
	exchange(line string) (string, error)
}

func sessionCommand() *cobra.Command {
	var duration, every time.Duration
	var over string
	var greeted bool
	cmd := &cobra.Command{
		Use:   "session ADDRESS",
		Short: "hold one connection or stream to an echo server and exchange lines over it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printReport(cmd, session(cmd.Context(), args[0], over, duration, every, greeted))
		},
	}
	cmd.Flags().DurationVar(&duration, "duration", 0, "how long to hold the connection; 0 means for one exchange")
	cmd.Flags().DurationVar(&every, "every", 200*time.Millisecond, "time between exchanges")
	cmd.Flags().StringVar(&over, "over", "tcp", "tcp, websocket or grpc; the last two use the port of the HTTP server")
	cmd.Flags().BoolVar(&greeted, "greeted", false, "the server speaks first: read its line before sending, with tcp")
	return cmd
}

func session(ctx context.Context, address, over string, duration, every time.Duration, greeted bool) report.Session {
	var result report.Session
	fail := func(err error) report.Session {
		result.Failure, result.Error, result.FailedAt = outcomeOf(err), err.Error(), time.Now().UTC()
		return result
	}
	l, err := openLines(ctx, address, over)
	if err != nil {
		return fail(err)
	}
	defer l.Close()
	if conn, isConn := l.(*connLines); isConn && greeted {
		if result.Greeting, err = conn.read(); err != nil {
			return fail(err)
		}
	}
	for end := time.Now().Add(duration); ; pause(ctx, every) {
		line := fmt.Sprintf("line %d\n", result.Exchanges)
		echoed, err := l.exchange(line)
		if err != nil {
			return fail(err)
		}
		if echoed != line {
			return fail(fmt.Errorf("the server echoed %q, want %q", echoed, line))
		}
		result.Exchanges++
		if ctx.Err() != nil || !time.Now().Before(end) {
			return result
		}
	}
}

// pause waits for the duration or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func openLines(ctx context.Context, address, over string) (lines, error) {
	switch over {
	case "tcp":
		conn, err := net.DialTimeout("tcp", address, exchangeTimeout)
		if err != nil {
			return nil, err
		}
		return &connLines{conn, bufio.NewReader(conn)}, nil
	case "websocket":
		conn, err := websocket.Dial("ws://"+address+webSocketPath, "", "http://"+address)
		if err != nil {
			return nil, err
		}
		return &connLines{conn, bufio.NewReader(conn)}, nil
	case "grpc":
		return openStream(ctx, address)
	default:
		return nil, fmt.Errorf("the protocol %q is unknown: use tcp, websocket or grpc", over)
	}
}

// connLines exchanges lines over a connection, or over a WebSocket.
type connLines struct {
	net.Conn
	reader *bufio.Reader
}

func (l *connLines) exchange(line string) (string, error) {
	_ = l.SetDeadline(time.Now().Add(exchangeTimeout))
	if _, err := io.WriteString(l, line); err != nil {
		return "", err
	}
	return l.read()
}

func (l *connLines) read() (string, error) {
	_ = l.SetDeadline(time.Now().Add(exchangeTimeout))
	return l.reader.ReadString('\n')
}

// streamLines exchanges lines over a gRPC stream.
type streamLines struct {
	conn   *grpc.ClientConn
	stream grpc.ClientStream
	cancel context.CancelFunc
}

func openStream(ctx context.Context, address string) (lines, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	// The stream outlives ctx, whose end is that of the session: its last exchange must succeed.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/"+streamService+"/"+streamMethod)
	if err != nil {
		cancel()
		_ = conn.Close()
		return nil, err
	}
	return &streamLines{conn, stream, cancel}, nil
}

func (l *streamLines) exchange(line string) (string, error) {
	late := time.AfterFunc(exchangeTimeout, l.cancel)
	defer late.Stop()
	if err := l.stream.SendMsg(wrapperspb.String(line)); err != nil {
		return "", err
	}
	echoed := &wrapperspb.StringValue{}
	err := l.stream.RecvMsg(echoed)
	return echoed.GetValue(), err
}

func (l *streamLines) Close() error {
	l.cancel()
	return l.conn.Close()
}

// streamServer returns a gRPC server with the echo of lines.
func streamServer() *grpc.Server {
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{ServiceName: streamService, HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: streamMethod, Handler: echoStream, ServerStreams: true, ClientStreams: true},
	}}, nil)
	return server
}

func echoStream(_ any, stream grpc.ServerStream) error {
	for {
		line := &wrapperspb.StringValue{}
		if err := stream.RecvMsg(line); err != nil {
			return err
		}
		if err := stream.SendMsg(line); err != nil {
			return err
		}
	}
}

// withStreams adds the echo over gRPC to an HTTP handler.
func withStreams(next http.Handler) http.Handler {
	streams := streamServer()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			streams.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
