package demo

// Port is the port of every program of the demo.
const Port = 14001

// Paths of the requests between programs. Policies refer to them.
const (
	// PathBooksBought returns the number of books sold (GET).
	PathBooksBought = "/books-bought"
	// PathBuyBook sells one book (GET, as in the Open Service Mesh demo).
	PathBuyBook = "/buy-a-book/new"
	// PathUpdateBooksBought sets the number of books sold (POST, with the number in the header Booksbought).
	PathUpdateBooksBought = "/update-books-bought"
	// PathRestock restocks the number of books in the body (POST).
	PathRestock = "/restock-books"
)

// Headers of the requests and responses between programs.
const (
	// HeaderIdentity is the response header with the version of the server.
	HeaderIdentity = "Identity"
	// HeaderBooksBought carries the number of books sold.
	HeaderBooksBought = "Booksbought"
	// HeaderClientApp is the request header with the name of the client program. Policies match it.
	HeaderClientApp = "client-app"
	// HeaderUserAgent is the standard request header. Policies match it as userAgent.
	HeaderUserAgent = "user-agent"
)

// userAgent matches the expression ".*-http-client/*.*" of the policies.
const userAgent = "Go-http-client/1.1"
