using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace AdderNet.Data;

/// <summary>Tells why a transfer failed in words that name what its user can mend: the proxy, a certificate, the name, the connection.</summary>
internal static class NetworkFailure
{
    /// <summary>Part of a sentence that names the host.</summary>
    public static string Describe(Uri url, Exception failure) => $"{url.Host}: {Cause(url, failure).TrimEnd('.')}";

    private static string Cause(Uri url, Exception failure)
    {
        if (failure is HttpRequestException { StatusCode: HttpStatusCode.ProxyAuthenticationRequired })
        {
            return ProxyWantsPassword(url);
        }

        if (Inner<AuthenticationException>(failure) is { } certificate)
        {
            return $"its certificate was not accepted ({DataFile.OneLine(certificate).TrimEnd('.')}), as happens where a proxy that inspects traffic " +
                $"has its own and the system does not trust that, or the clock is wrong; {Route(url)}";
        }

        return failure switch
        {
            HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } => $"the proxy {Proxy(url)} refused ({DataFile.OneLine(failure).TrimEnd('.')})",
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => $"the name {(Proxy(url) is null ? "" : "of the host or of the proxy ")}is not found (DNS); {Route(url)}",
            HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => $"no connection ({Reason(failure)}); {Route(url)}",
            TimeoutException => $"{DataFile.OneLine(failure).TrimEnd('.')}; {Route(url)}",
            _ => DataFile.OneLine(failure),
        };
    }

    /// <summary>What a proxy says that wants to know who asks.</summary>
    public static string ProxyWantsPassword(Uri url) =>
        $"the proxy {Proxy(url)} wants a user and a password (407); give them in {Variable(url)}, as http://USER:PASSWORD@HOST:PORT";

    /// <summary>Whether a proxy stands in between, and which variable says so.</summary>
    private static string Route(Uri url) => Proxy(url) is { } proxy ? $"it was asked through the proxy {proxy}" : $"it was asked without a proxy ({Variable(url)} is not set for it)";

    private static string Variable(Uri url) => url.Scheme == Uri.UriSchemeHttps ? "HTTPS_PROXY" : "http_proxy";

    // Without the password that may stand in it.
    private static string? Proxy(Uri url) =>
        HttpClient.DefaultProxy.IsBypassed(url) ? null
        : HttpClient.DefaultProxy.GetProxy(url) is { } proxy && proxy != url ? $"{proxy.Scheme}://{proxy.Host}:{proxy.Port}"
        : null;

    private static string Reason(Exception failure) => Inner<SocketException>(failure) is { } socket ? DataFile.OneLine(socket).TrimEnd('.') : DataFile.OneLine(failure).TrimEnd('.');

    private static T? Inner<T>(Exception failure)
        where T : Exception
    {
        for (Exception? e = failure; e is not null; e = e.InnerException)
        {
            if (e is T found)
            {
                return found;
            }
        }

        return null;
    }
}
