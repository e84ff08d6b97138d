package demo

// Port is where every program of the demo listens.
const Port = 14001

// The paths that programs call on each other. Policies name them.
const (
	// PathBooksBought tells how many books were sold (GET).
	PathBooksBought = "/books-bought"
	// PathBuyBook sells one book (GET, as in the Open Service Mesh demo).
	PathBuyBook = "/buy-a-book/new"
	// PathUpdateBooksBought sets how many books were sold (POST, the number in the header Booksbought).
	PathUpdateBooksBought = "/update-books-bought"
	// PathRestock takes the number of books to restock in the body (POST).
	PathRestock = "/restock-books"
)

// The headers that programs send each other.
const (
	// HeaderIdentity says, in a response, which version of a program gave it.
	HeaderIdentity = "Identity"
	// HeaderBooksBought carries the number of books sold.
	HeaderBooksBought = "Booksbought"
	// HeaderClientApp says, in a request, which program asks. Policies match it.
	HeaderClientApp = "client-app"
	// HeaderUserAgent is the usual header; policies match userAgent.
	HeaderUserAgent = "user-agent"
)

// userAgent is matched by the policies' ".*-http-client/*.*".
const userAgent = "Go-http-client/1.1"
