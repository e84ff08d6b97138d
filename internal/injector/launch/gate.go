package launch

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
)

// gate serves the route configuration that an Envoy waits for before it accepts connections. It holds the request until it is opened.
type gate struct {
	listener net.Listener
	opened   chan struct{}
	once     sync.Once
}

func newGate(path string) (*gate, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	g := &gate{listener: listener, opened: make(chan struct{})}
	go g.serve()
	return g, nil
}

// open lets the Envoy accept connections.
func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) close() { _ = g.listener.Close() }

func (g *gate) serve() {
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return
		}
		go g.answer(conn)
	}
}

// answer reads requests without interpreting them: the launcher has one answer.
func (g *gate) answer(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		length := 0
		for {
			line, err := reader.ReadString('\n')
			if err != nil {
				return
			}
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "content-length") {
				_, _ = fmt.Sscan(value, &length)
			}
			if strings.TrimSpace(line) == "" {
				break
			}
		}
		if _, err := reader.Discard(length); err != nil {
			return
		}
		<-g.opened
		const body = `{"version_info":"open","resources":[{"@type":"type.googleapis.com/envoy.config.route.v3.RouteConfiguration","name":"` + gateName + `"}]}`
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", len(body), body); err != nil {
			return
		}
	}
}
